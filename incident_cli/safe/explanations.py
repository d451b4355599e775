"""Every code of an inspection: what it means and why. `incident explain CODE` prints it; its meaning never changes."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

EXPLANATIONS: Mapping[str, str] = MappingProxyType(
    {
        # where and when
        "wrong-chain": "The transaction is for another chain than the deployment names.",
        "wrong-safe": "The transaction is for another Safe than the deployment names.",
        "wrong-version": "The Safe on chain has another version than the transaction was hashed for.",
        "old-version": "A Safe below 1.3.0 signs without the chain id (a signature replays on other chains), and a"
        " failed execution burns the nonce.",
        "unknown-version": "Nobody has measured how this Safe version hashes and executes.",
        "nonce-stale": "The nonce has been used: the transaction can never execute.",
        "nonce-ahead": "Transactions at earlier nonces must execute first.",
        "nonce-far": "The nonce lies so far ahead that this is no plan but a mistake or a trap.",
        "hash-disputed": "Independent code (and, where it was asked, the Safe itself) computes other hashes. That is a"
        " bug or an attack: sign nothing.",
        "chain-not-read": "The chain was not read: whether the nonce is current, the version true, the code at each"
        " address the expected one and the Safe yours is not known. Name a deployment to have it read. Nothing that"
        " was not read comes out clean.",
        # what runs with the Safe's own powers, or pays somebody
        "delegatecall": "A delegatecall runs foreign code with the Safe's own storage: it can replace its owners or its"
        " implementation. Only the canonical MultiSendCallOnly may be called so.",
        "multisend-code": "The code at the MultiSendCallOnly address is not the known one on this chain.",
        "multisend-unread": "The code at the MultiSendCallOnly address was not read, so it may be anything.",
        "refund": "Gas price, gas token, refund receiver and base gas pay the broadcaster from the Safe.",
        "safe-tx-gas": "With safeTxGas set, an execution that fails uses up the nonce: the proposal is burnt.",
        "safe-itself": "A call to the Safe itself changes its owners, threshold, modules, guards or handler. Only the"
        " empty call that revokes a nonce is allowed. Owners are changed by a ceremony of its own, never on the side.",
        "control-change": "The function changes who controls a contract: a Safe's owners, threshold, modules, guards or"
        " handler, or a protocol's owner, roles, guardian, delay or implementation. No containment does that, and no"
        " way back does, directly or through a time-lock.",
        # what cannot be seen
        "bad-batch": "The batch is not encoded as an encoder writes it, or is nested too deep or too large to be shown:"
        " what is shown may not be what runs.",
        "nested-batch": "A batch within a batch hides calls, and they would not come from the Safe.",
        "inner-operation": "A call within the batch asks for a delegatecall or an unknown operation.",
        "opaque-call": "The function approves or executes something that cannot be shown here.",
        "other-safe": "The call makes another Safe (or a module's Safe) execute something. Its payload is shown below"
        " it and inspected; whether that Safe accepts it was not checked.",
        "other-sender": "Calls that are handed on through Multicall3 do not come from the Safe but from Multicall3,"
        " which anybody can use: nothing that needs the Safe's rights works, and approvals given so are open to all.",
        "padded-calldata": "The calldata are not the one encoding of what they show: bytes follow the arguments, or"
        " offsets and padding are not as an encoder writes them. Something rides along.",
        "undecoded": "Nothing that was given knows this function: what it does cannot be said. Give the contract's ABI"
        " with --abi, or a deployment whose protocol file knows it.",
        "ambiguous-function": "Four bytes name a function, and several known functions fit these; or several levers"
        " make the very same call, and say different things of it. All are shown, and the sentence of the call is that"
        " of the one that reaches furthest.",
        "not-restricting": "The call lets go: it undoes a lever, or calls its function with values that loosen what"
        " stands, or releases by its very name. A reopening looks like this; a containment does not.",
        "calls-interfere": "Two calls concern the same value of a contract. Each was held against what stands before"
        " the batch: what the first brings about, the second may take back. Propose one of them, or both one after the"
        " other.",
        "irreversible": "The lever cannot be undone by anyone. It may be the right one all the same: be sure that what"
        " it ends is to end for good.",
        "cancels": "The call puts away what somebody has begun: an operation that waits in a time-lock or a queue. What"
        " that would do was not read. It may be the mend and not the attack: look the id up first.",
        "scheduled": "The call does nothing now: it asks a time-lock to make the calls below later. Until then what"
        " stands may change, and the values in the calls stay those of today: they may loosen what was tightened"
        " meanwhile.",
        "displaces-unknown": "A rejection takes its nonce away from whatever else was proposed there, a containment"
        " too. `incident safe queue` shows what waits at that nonce.",
        "direction-unknown": "The function is a lever's, and whether these values restrict is not known: a number may"
        " let more through than now, or less. How it stands now was not read, or cannot be compared with what is given."
        " Read what stands now, and compare it yourself.",
        "lever-refused": "As the chain stands, incident itself would not pull this lever so: whoever would call lacks"
        " the role, the role holds only for other values, or a value does not fit. The call would fail, or do something"
        " else.",
        "meaning-by-file": "What the function is called and does is said by a file alone: the proposal, an ABI, an"
        " ERC-7730 file or a protocol file. Whoever wants a signature can write one; the contract need not agree. A"
        " lever of the deployment's own protocols is known without one.",
        "no-known-meaning": "The function is known by name, and a name is no meaning: the contract decides what it"
        " does. Only levers of the deployment's protocols are known to restrict.",
        "carries-call": "Bytes are handed to a contract that may call them in its own name or with its own storage:"
        " what they do is decided there. What can be unfolded is shown below the call and inspected like every other.",
        "too-long-to-show": "An argument is longer than a screen or a card shows. Every address in it is listed; read"
        " the rest with --json before you sign.",
        # to whom
        "unknown-address": "An address among the arguments is not one that the deployment names. It may be the one that"
        " gains by the call: learn whose it is, and add it to the deployment if it belongs there. Or a lever is pulled"
        " against this Safe, the zero address or the contract itself.",
        "unknown-market": "The id is that of no market of the deployment: the call may stop nothing, or another market."
        " Compare it with the deployment, byte by byte.",
        "unknown-target": "The deployment does not name the address that is called.",
        "lookalike-address": "The address begins and ends like a known one, or shares eight digits at one end with"
        " it, and is another: that is how poisoned addresses look. Whoever compares only the ends is deceived.",
        "zero-target": "The zero address is called: what is sent there is lost.",
        "no-code": "There is no contract at the address: a call with data does nothing there, and still succeeds.",
        "more-findings": "There are more findings than can be read. The first of every code are shown; the verdict is"
        " that of all.",
        # money
        "moves-money": "The call moves a token, or lets somebody move it. Who and how much stands in the message.",
        "unlimited-approval": "The call lets somebody take a token without limit, now and later.",
        "sends-value": "The call sends native currency. Look twice.",
        # what was decided on
        "unexpected-value": "The call sends native currency that was not decided on.",
        "call-count": "There are more or fewer calls than were decided on.",
        "call-differs": "A call is not the one that was decided on.",
        "field-differs": "A field of the transaction is not what the proposal says.",
    }
)
