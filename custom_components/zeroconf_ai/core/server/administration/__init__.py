"""The page of `zeroconf-ai serve` at `/admin/`: sessions, the JSON API, the stream of the live state, and the files.

It is on the server's own port only. The API is for the page alone and changes with it, so docs/openapi.yaml does not list it:
programs use the routes of `endpoints`, which an administrator's key reads too. A session begins with such a key and ends with it.
"""
