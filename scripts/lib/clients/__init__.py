"""Real client programs through the gateway: each chats, calls a tool and asks about the tool's result in a second turn.

- `model`: the upstream, a faithful fake of a cloud whose answers depend on the prompt.
- `programs`: the clients and how each is started; the folder `programs/` has the scripts of the libraries.
- `installed`: the clients' packages.
- `run`: the gateway and the clients as processes, and what they printed.
"""
