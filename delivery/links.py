"""Which message does a link in a mail or letter belong to, and did we make that link?

Owns the signed tokens behind /u (unsubscribe), /p (preferences), /c (click) and /o (open). A token holds a message's
public id and, for a click, the name of a link of that content: never an address to go to, so nobody can borrow our name
for a redirect. Tokens do not expire: an old mail must still let its reader say no.
"""

from itsdangerous import BadSignature, Signer

PURPOSES = {"u": "unsubscribe", "p": "preferences", "c": "click", "o": "open"}
"""First letter of the path -> what the token may be used for; a token of one purpose is void for every other."""


class Links:
    """Makes and reads the links of one installation."""

    def __init__(self, *, base_url: str, secret_key: str) -> None:
        self._base_url = base_url.rstrip("/")
        self._signers = {
            path: Signer(secret_key, salt=f"winback.link.{purpose}", sep=".", key_derivation="hmac")
            for path, purpose in PURPOSES.items()
        }

    def token(self, path: str, public_id: str, name: str = "") -> str:
        """The signed token of a message for one purpose; `name` is the link's name, for clicks."""
        return self._signers[path].sign(f"{public_id}~{name}" if name else public_id).decode()

    def url(self, path: str, public_id: str, name: str = "") -> str:
        """The whole address of a signed link."""
        return f"{self._base_url}/{path}/{self.token(path, public_id, name)}"

    def read(self, path: str, token: str) -> tuple[str, str] | None:
        """The public id and link name behind a token; None when we did not sign it for this purpose."""
        try:
            text = self._signers[path].unsign(token).decode()
        except (BadSignature, UnicodeError):
            return None
        public_id, _, name = text.partition("~")
        return public_id, name
