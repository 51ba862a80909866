"""What may a browser do with our pages?

Owns the security headers of every answer. The promise: no page of ours runs inline scripts, loads anything from
another host or can be framed, unless its view says so with its own content policy.
"""

from flask import Flask, Response

_POLICY = {
    "default-src": "'none'",
    "script-src": "'self'",
    "style-src": "'self'",
    "img-src": "'self' data:",
    "font-src": "'self'",
    "connect-src": "'self'",
    "frame-src": "'self'",
    "form-action": "'self'",
    "frame-ancestors": "'none'",
    "base-uri": "'none'",
    "object-src": "'none'",
}

# what a message preview needs: styles of e-mails are inline; scripts never run, and it's a stranger to our pages
PREVIEW = {"style-src": "'unsafe-inline'", "img-src": "data: https:", "frame-ancestors": "'self'", "sandbox": ""}


def content_policy(**changes: str) -> str:
    """Return the content policy with directives changed: `content_policy(style_src="'self' 'unsafe-inline'")`."""
    policy = _POLICY | {name.replace("_", "-"): value for name, value in changes.items()}
    return "; ".join(f"{name} {value}".strip() for name, value in policy.items())


def preview_policy() -> str:
    """The content policy of a rendered message that a page of ours shows in a frame."""
    return content_policy(**{**PREVIEW, "script_src": "'none'", "form_action": "'none'"})


def _fixed(*, https: bool) -> dict[str, str]:
    fixed = {
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "same-origin",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Permissions-Policy": "camera=(), microphone=(), geolocation=(), payment=()",
    }
    if https:
        fixed["Strict-Transport-Security"] = "max-age=31536000; includeSubDomains"
    return fixed


def of_programs(*, https: bool) -> dict[str, str]:
    """What `protect` puts on an answer in JSON."""
    return {"Content-Security-Policy": content_policy(), "X-Frame-Options": "DENY", **_fixed(https=https)}


def protect(app: Flask, *, https: bool) -> None:
    """Put the headers on every answer; a view's own content policy stays."""
    fixed = _fixed(https=https)

    @app.after_request
    def add(response: Response) -> Response:
        response.headers.setdefault("Content-Security-Policy", content_policy())
        if "frame-ancestors 'none'" in response.headers["Content-Security-Policy"]:
            response.headers.setdefault("X-Frame-Options", "DENY")
        for name, value in fixed.items():
            response.headers.setdefault(name, value)
        if response.mimetype == "text/html":
            response.headers.setdefault("Cache-Control", "no-store")
        return response
