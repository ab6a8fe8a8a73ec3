"""The runtime of the gateway's config entry: members, access, advertisement, and its endpoints on two ports."""
