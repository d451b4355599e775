"""What a failure of the transaction service means, by code. `incident explain CODE` prints it."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

EXPLANATIONS: Mapping[str, str] = MappingProxyType(
    {
        "service-key": "The service did not take the key (HTTP 401 or 403). The deployment names the variable of the"
        " environment that holds it; hosted services give one to each account. Nothing was sent.",
        "service-redirects": "The service answered with a redirect. Following it would turn a POST into a GET, which"
        " answers 200 and stores nothing: so it is never followed. The URL in the deployment is an old one, or lacks"
        " or has a part of its path too many.",
        "service-banned": "The service refuses this Safe for legal reasons (HTTP 451). The Safe works as ever: gather"
        " the signatures by files or by approveHash, and execute directly.",
        "service-throttled": "Too many requests (HTTP 429). A wait of up to a minute is waited for; a longer one is"
        " said. A key of your own is throttled later than none.",
        "service-refuses": "The service read the request and says no, in its own words, which are quoted: a signer who"
        " is no owner, a nonce that is used, a delegatecall that it does not allow.",
        "service-down": "The service, or what stands before it, is in trouble (HTTP 5xx). What was sent may have"
        " arrived: running the same again finds it, or sends the same bytes once more.",
        "service-unclear": "No whole answer came, or what was sent could not be read back. It may have arrived."
        " Running the same again is safe: what stands there is found, and what does not is sent byte for byte.",
        "service-page": "Something else than the service answered, such as a page in HTML. A status of 200 does not"
        " make it an answer: only what is read back counts.",
        "service-forged": "The service shows fields that do not hash to the safeTxHash it names, a record for another"
        " hash than was asked for, or a signature that is not the owner's. It, or what stands between, is broken or"
        " hostile. Sign nothing that comes from it; deliver by files.",
    }
)


def see(code: str, hint: str) -> str:
    """A hint that says where to read more."""
    assert code in EXPLANATIONS
    return f"{hint} See `incident explain {code}`."
