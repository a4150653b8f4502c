"""Series stores: each passes the contract suite in markethub.testing."""
