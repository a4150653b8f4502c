"""Schema history of the control database, run by ``control.migrate`` through Alembic."""
