// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";
import {Pausable} from "@openzeppelin/contracts/utils/Pausable.sol";

/// A target of OpenZeppelin's AccessManager: `deposit` is for everybody, all else for whom the manager lets through.
contract ManagedVault is AccessManaged, Pausable {
    uint256 public deposits;
    uint256 public limit = 1000;

    constructor(address manager) AccessManaged(manager) {}

    function deposit(uint256 amount) external whenNotPaused {
        require(amount <= limit, "above the limit");
        deposits += amount;
    }

    function rebalance() external restricted whenNotPaused {
        deposits = 0;
    }

    function setLimit(uint256 newLimit) external restricted {
        limit = newLimit;
    }

    function pause() external restricted {
        _pause();
    }

    function unpause() external restricted {
        _unpause();
    }
}
