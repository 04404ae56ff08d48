"""Secrets of addresses: hidden in every form, and nothing else with them."""

import pytest

from hpsearch.base.passwords import without_password

HIDDEN = {
    "http://me:S3CRET@host:5/x": "http://me:***@host:5/x",
    "https://S3CRET@host/x": "https://***@host/x",
    "https://:S3CRET@host/x": "https://:***@host/x",
    "postgresql://me:S3CRET@host:5/db": "postgresql://me:***@host:5/db",
    "postgresql+psycopg2://me:S3/CR@ET@host/db": "postgresql+psycopg2://me:***@host/db",
    "http://m%40e:S3%2FCRET%40@host": "http://m%40e:***@host",
    "http://host/?token=S3CRET&page=2#top": "http://host/?token=***&page=2#top",
    "http://host/?page=2&sig=S3CRET": "http://host/?page=2&sig=***",
    "http://host/?key=S3CRET;x=1": "http://host/?key=***;x=1",
    "http://host/?apiKey=S3CRET&X-Amz-Signature=S3CRET": "http://host/?apiKey=***&X-Amz-Signature=***",
    "postgresql://host/db?sslpassword=S3CRET": "postgresql://host/db?sslpassword=***",
    "http://me:S3CRET@host/?access_token=S3CRET": "http://me:***@host/?access_token=***",
    "http://host/?next=http%3A%2F%2Fme%3AS3CRET%40host&x=1": "http://host/?next=http%3A%2F%2F***%40host&x=1",
    "cannot reach 'http://me:S3CRET@a' or http://S3CRET@b, try c@d": (
        "cannot reach 'http://me:***@a' or http://***@b, try c@d"
    ),
    "key = http://host/?token=S3CRET: no such address (see http://host/?sig=S3CRET).": (
        "key = http://host/?token=***: no such address (see http://host/?sig=***)."
    ),
    "no folder /tmp/http:/me:S3CRET@host or /tmp/postgresql:/S3CRET@host": (
        "no folder /tmp/http:/me:***@host or /tmp/postgresql:/***@host"
    ),
    "http://me:S3CRET${oc.env:PW}@host": "http://me:***@host",
}
KEPT = (
    *(
        "sqlite:////tmp/a:b@c/mlflow.db",
        "sqlite:///mlflow.db",
        "file:///a:b@c",
        "C:/a@b",
        "file:/a@b",
        "http://host:5000",
        "http://host/a@b",
    ),
    *("http://me:${oc.env:PW}@host", "http://${oc.env:TOKEN}@host", "http://host/?token=${oc.env:TOKEN}"),
    *("http://host/?design=3&monkey=4&keyboard=5&page=6", "args.token=cls", "me@host", "http://a, then b@c", "a ~ b"),
)


@pytest.mark.parametrize("text", HIDDEN)
def test_a_secret_is_hidden_in_every_form_and_once(text):
    assert without_password(text) == HIDDEN[text]
    assert without_password(HIDDEN[text]) == HIDDEN[text]


@pytest.mark.parametrize("text", KEPT)
def test_what_holds_no_secret_stays(text):
    assert without_password(text) == text


@pytest.mark.parametrize("part", ["http://x:", "://", "://x:${a", "?token", "?token=:", "://${a}", "%3A%2F%2F"])
def test_a_long_text_of_a_stranger_is_read_in_one_pass(part):
    assert len(without_password(f"a@{part * 30_000}")) > 30_000  # for minutes, if each part was read to the end
