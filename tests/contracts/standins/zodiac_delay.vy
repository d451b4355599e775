# pragma version 0.4.3
"""Stands in for Zodiac's Delay modifier: a queue whose next transaction anybody executes after a cooldown."""

owner: public(address)
txCooldown: public(uint256)
txExpiration: public(uint256)
txNonce: public(uint256)
queueNonce: public(uint256)
getTxHash: public(HashMap[uint256, bytes32])
getTxCreatedAt: public(HashMap[uint256, uint256])
executed: public(DynArray[bytes32, 16])


@deploy
def __init__(owner: address, cooldown: uint256):
    self.owner = owner
    self.txCooldown = cooldown


@external
def setTxNonce(nonce: uint256):
    assert msg.sender == self.owner, "Ownable: caller is not the owner"
    assert nonce > self.txNonce, "New nonce must be higher than current txNonce"
    assert nonce <= self.queueNonce, "Cannot be higher than queueNonce"
    self.txNonce = nonce


@external
def enqueue(hash: bytes32):
    self.getTxHash[self.queueNonce] = hash
    self.getTxCreatedAt[self.queueNonce] = block.timestamp
    self.queueNonce += 1


@external
def executeNextTx(hash: bytes32):
    assert self.txNonce < self.queueNonce, "Transaction queue is empty"
    assert block.timestamp - self.getTxCreatedAt[self.txNonce] >= self.txCooldown, "Transaction is still in cooldown"
    assert self.getTxHash[self.txNonce] == hash, "Transaction hashes do not match"
    self.txNonce += 1
    self.executed.append(hash)
