"""What every answer says to browsers and to whatever stands between, and what none says."""

import httpx2
import pytest

MARKUP = "<script>alert(1)</script>"


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/healthz"),
        ("GET", "/docs"),
        ("GET", "/openapi.json"),
        ("GET", "/metrics"),
        ("GET", "/nowhere"),
        ("POST", "/docs"),
        ("OPTIONS", "/api/v1/jobs"),
        ("GET", "/api/v1/jobs"),
        ("POST", "/api/v1/backfill/klines"),
        ("GET", "/api/v1/klines?symbol=BTC_USDT.BNC&interval=1h&format=csv"),
        ("POST", "/mcp"),
    ],
)
def test_no_answer_is_kept_guessed_at_or_framed(admin: httpx2.Client, method: str, path: str) -> None:
    headers = admin.request(method, path).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cache-control"] == "no-store"
    assert headers["referrer-policy"] == "no-referrer"
    assert "default-src 'none'" in headers["content-security-policy"]
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert len(headers.get_list("content-security-policy")) == 1


def test_only_the_docs_may_have_style(admin: httpx2.Client) -> None:
    assert "style-src" in admin.get("/docs").headers["content-security-policy"]
    assert "style-src" not in admin.get("/healthz").headers["content-security-policy"]


@pytest.mark.parametrize(
    ("path", "headers"),
    [
        (f"/{MARKUP}", {}),
        (f"/api/v1/jobs/{MARKUP.replace('/', '%2F')}", {}),
        (f"/api/v1/jobs?order_by={MARKUP}", {}),
        (f"/api/v1/jobs?{MARKUP}=1", {}),
        ("/api/v1/jobs", {"Authorization": MARKUP}),
        ("/api/v1/jobs", {"X-Request-ID": MARKUP}),
    ],
)
def test_what_an_error_repeats_is_never_a_page(
    admin: httpx2.Client, path: str, headers: dict[str, str]
) -> None:
    answer = admin.get(path, headers=headers)
    assert answer.headers["content-type"] == "application/json"
    assert MARKUP not in answer.headers["x-request-id"]
