"""A minimal dialect to copy (docs/extending.md). The contract tests (tests/core/backends/test_dialects.py) run it too.

| this file | its copy |
|---|---|
| `upstream_request.py`, `upstream_response.py` | `core/dialects/NAME/` |
| `backend.py` | `core/backends/NAME/` |
| `declaration.py` | an entry of `core/config/backend_types.py` |
| `fake.py` | `tests/support/clouds/NAME.py` |
"""
