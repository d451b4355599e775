# pragma version 0.4.3
"""A target whose `pause` is honest and whose other functions pause too, and do one more thing nobody declared."""

interface Pausable:
    def pause(): nonpayable

interface Modular:
    def execTransactionFromModule(to: address, wei: uint256, data: Bytes[1024], operation: uint8) -> bool: nonpayable

paused: public(bool)


@deploy
@payable
def __init__():
    pass


@external
@payable
def __default__():
    pass


@external
def pause():
    self.paused = True


@external
@payable
def pause_for_a_fee():
    self.paused = True


@external
def pause_elsewhere(other: address):
    self.paused = True
    extcall Pausable(other).pause()


@external
def pause_and_pay(receiver: address, amount: uint256):
    self.paused = True
    send(receiver, amount)


@external
def pause_and_create():
    self.paused = True
    created: address = create_minimal_proxy_to(self)


@external
def pause_and_command(safe: address, data: Bytes[1024]):
    self.paused = True
    assert extcall Modular(safe).execTransactionFromModule(safe, 0, data, 0)


@external
def refuse(reason: String[64]):
    raise reason
