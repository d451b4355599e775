# pragma version 0.4.3
"""Stands in for EigenLayer's PauserRegistry: several may pause, one may unpause."""

isPauser: public(HashMap[address, bool])
unpauser: public(address)


@deploy
def __init__(pauser: address, unpauser: address):
    self.isPauser[pauser] = True
    self.unpauser = unpauser
