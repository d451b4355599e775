# pragma version 0.4.3
"""Stands in for ether.fi's role registry."""

hasRole: public(HashMap[bytes32, HashMap[address, bool]])


@deploy
def __init__(guardian: address, limiter_admin: address):
    self.hasRole[keccak256("GUARDIAN_ROLE")][guardian] = True
    self.hasRole[keccak256("ETHERFI_RATE_LIMITER_ADMIN_ROLE")][limiter_admin] = True
