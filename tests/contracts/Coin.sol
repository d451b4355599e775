// SPDX-License-Identifier: MIT
pragma solidity 0.7.6;

import "openzeppelin-3/token/ERC20/ERC20.sol";

/// OpenZeppelin's own ERC-20 with as many decimals as the token it stands for; the deployer holds the supply.
contract Coin is ERC20 {
    constructor(string memory name, string memory symbol, uint8 decimals, uint256 supply) ERC20(name, symbol) {
        _setupDecimals(decimals);
        _mint(msg.sender, supply);
    }
}
