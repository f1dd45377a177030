"""Programs that run in a peer's own environment: `python -m bench.peers.drivers.NAME IN OUT`.

They import the peer, torch, numpy and `haq.zoo`, and nothing else of ours.
"""
