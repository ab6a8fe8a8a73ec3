"""The page of `zeroconf-ai serve` at `/admin/`: sessions, the JSON API, the stream of the live state, and the files.

It is on the server's own port only. The API is for the page: a session begins with an administrator's key and ends with it.
"""
