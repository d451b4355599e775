# pragma version 0.4.3
"""A price of dYdX v1 that anybody sets."""

getPrice: public(uint256)


@external
def setPrice(price: uint256):
    self.getPrice = price
