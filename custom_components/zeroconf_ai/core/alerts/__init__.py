"""Alerts: an event becomes one sentence, which senders carry to people and programs.

`alert` has the alerts, `dispatcher` decides which are sent, `webhook` is a sender, and the `…_watch` modules notice events. An
alert never delays a request, is sent once, and contains neither secrets nor prompts.
"""
