import pytest

pytest.register_assert_rewrite("markethub.testing.store_contract")
