"""What a request may put on a terminal or into a log: no control characters, no secrets."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corsproxy.shell.feed.quoting import printable, redacted


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (b"/v1/users?page=2", "/v1/users?page=2"),
        (b"/\x1b[31m", "/\\x1b[31m"),
        (b"/a\r\nb", "/a\\x0d\\x0ab"),
        (b"/\x7f", "/\\x7f"),
        (b"/\x9b31m", "/\\x9b31m"),
        ("/\u202e".encode(), "/\\xe2\\x80\\xae"),
        (b"/caf\xe9", "/caf\\xe9"),
    ],
    ids=["plain", "escape sequence", "line break", "DEL", "C1 byte", "bidi", "8-bit"],
)
def test_bytes_are_shown_as_printable_ascii(value: bytes, shown: str) -> None:
    assert printable(value) == shown


@given(st.binary())
def test_any_bytes_become_printable_ascii(value: bytes) -> None:
    text = printable(value)
    assert text.isascii()
    assert text.isprintable()


SECRET_NAMES = (
    b"privateKey private_key private-key PRIVATEKEY apiKey subscription-key AWSAccessKeyId key"
    b" totp TOTP otp otpCode hotp mfa_code code_verifier codeVerifier code_challenge ticket"
    b" serviceTicket PHPSESSID JSESSIONID ASP.NET_SessionId sessid connect.sid SAMLRequest"
    b" SAMLResponse SAMLart RelayState id_token refreshToken device_code user_code"
    b" authorization_code oobCode client_assertion pin pwd userPwd passwd Passphrase passcode jwt"
    b" nonce hmac X-Goog-Signature X-Amz-Credential csrf_token _xsrf dpop bearer sso"
    b" session_state user%5Bpassword%5D authenticity_token magic inviteCode cvv cvv2 csc"
    b" card_number cardNumber card%5Bnumber%5D cardno ccnum cc-number creditCard pan iban"
    b" card_holder cardExpiry cc_exp account_number acctNo routing-number"
    b" login_hint logout_hint username_hint loginId remember_me rememberMe request_uri requestUri"
    b" g-recaptcha-response h-captcha-response cf-turnstile-response captchaAnswer"
    b" geetest_validate"
).split()


@pytest.mark.parametrize(
    "target",
    [
        b"/par?request=eyJhbGciOiJub25l.eyJhIjoi.abc",
        b"/x?next=%2Fa%3Fb%3DeyJhbGciOiJub25l.eyJhIjoi.abc",
        b"/login?access_token=abc",
        b"/login?a=1&token=abc&b=2",
        b"/x?api_key=abc",
        b"/x?apikey=abc",
        b"/x?X-Amz-Signature=abc",
        b"/x?X-Amz-Security-Token=abc&X-Amz-Credential=abc",
        b"/x?client_secret=abc",
        b"/x?PASSWORD=abc",
        b"/x?code=abc",
        b"/x?sig=abc",
        b"/x?%74oken=abc",
        b"/x?a=1;token=abc",
        b"/x#id_token=abc",
        b"http://user:abc@localhost:8010/x",
        *(b"/x?a=1&%b=abc" % name for name in SECRET_NAMES),
        b"/x?next=/cb?code=abc",
        b"/x?next=https://a.test/cb?state=1?token=abc",
        b"/x?next=https%3A%2F%2Fa.test%2Fcb%3Fcode%3Dabc",
        b"/x?next=https%253A%252F%252Fa.test%252Fcb%253Fa%253D1%2526access_token%253Dabc",
        b"https://a.test/cb#access_token=abc&expires_in=60",
    ],
)
def test_credentials_are_replaced(target: bytes) -> None:
    shown = redacted(target)
    assert b"abc" not in shown
    assert b"***" in shown


@pytest.mark.parametrize(
    "target",
    [
        b"/v1/users",
        b"/v1/token/abc",
        b"/x?author=tolkien&keyword=ring&country_code=de&zipcode=1",
        b"/x?page=2&sort=key&q=card&id=1&monkey=1&tokenize=yes&tokenizer=bert&card=3&account=4",
        b"/x?redirect_uri=/a&card_note=b&discard=1&cc=me&expand=all&user=7&company=ab&span=3",
        b"/x?hint=1&loginUrl=/a&request=GetMap&number=5&humane=1&accountname=x&remainder=2",
        b"/x?token=",
        b"/x?token",
        b"/x?q=a@b",
    ],
)
def test_other_targets_stay_as_they_are(target: bytes) -> None:
    assert redacted(target) == target


def test_only_the_value_is_replaced() -> None:
    assert redacted(b"/x?a=1&token=abc&b=2") == b"/x?a=1&token=***&b=2"
