"""What every answer to every question must be, and what the values in the questions are.

schemathesis reads schema.graphql and asks what fits it, with values that make sense, that nearly do, and any at all:

    export DERMAGA_URL=http://127.0.0.1:8080 SCHEMATHESIS_HOOKS=checks
    schemathesis run ../../schema.graphql --url $DERMAGA_URL/graphql --checks answers_with_data_or_codes,agrees_on_what_is_valid
"""

import datetime
import json
import os
import pathlib
import urllib.request

import graphql
import schemathesis
from hypothesis import strategies as st
from schemathesis.graphql import nodes



def ask(query):
    """The data of a question that the server must be able to answer."""
    request = urllib.request.Request(
        os.environ["DERMAGA_URL"] + "/graphql",
        json.dumps({"query": query}).encode(),
        {"content-type": "application/json"},
    )
    with urllib.request.urlopen(request) as response:
        return json.load(response)["data"]


# Without ids, references and cursors that exist, most questions would end at the door.
payments = ask(
    """{
        payments(first: 50) {
            edges {
                cursor
                node {
                    id
                    reference
                    installments { edges { cursor node { id allocations { pageInfo { endCursor } } } } }
                    receipts { edges { cursor node { id } } }
                }
            }
        }
    }"""
)["payments"]["edges"]
commodities = ask("{ commodities(first: 50) { edges { cursor node { id children { pageInfo { endCursor } } } } } }")
edges = payments + commodities["commodities"]["edges"]
for payment in payments:
    edges += payment["node"]["installments"]["edges"] + payment["node"]["receipts"]["edges"]
ids = sorted({edge["node"]["id"] for edge in edges})
cursors = sorted({edge["cursor"] for edge in edges})
references = [payment["node"]["reference"] for payment in payments]
words = ["coffee", "kopi", "cotton shirts", "0901", "09", "%", "_", "'", "en", "id", "id-ID", "INV/", "Asia/Jakarta"]


def register(scalar, literal, sensible, *others):
    """Values that make sense, but for one in eight: one that does not spoils the whole question."""
    values = st.integers(0, 7).flatmap(lambda number: st.one_of(*others) if number == 7 else sensible)
    schemathesis.graphql.scalar(scalar, values.map(literal))


register("ID", nodes.String, st.sampled_from(ids), st.text())
register("Int", nodes.Int, st.integers(1, 100), st.sampled_from([0, -1, 101, 2**31 - 1, -(2**31)]))
register(
    "String",
    nodes.String,
    st.one_of(*map(st.sampled_from, (references, cursors, words))),
    st.text(),
)
register(
    "CurrencyCode",
    nodes.String,
    st.sampled_from(["EUR", "IDR", "USD", "JPY", "KWD", "DEM", "HRK"]),
    st.sampled_from(["XXX", "XAU", "idr", "XXQ", ""]),
    st.text(max_size=5),
)
register(
    "Decimal",
    nodes.String,
    st.decimals(places=2, min_value=-(10**12), max_value=10**12).map("{:f}".format),
    st.from_regex(r"-?[0-9]{0,21}(\.[0-9]{0,13})?", fullmatch=True),
    st.sampled_from(["0", "-0", "1e3", "NaN", "99999999999999999999", "0.000000000001", "١٢"]),
    st.text(max_size=30),
)
register(
    "BigInt",
    nodes.String,
    st.integers(0, 100).map(str),
    st.sampled_from(["-1", "+1", "1.0", "9223372036854775808", ""]),
)
# Few, so that some are sent again, with the same request and with another one.
register(
    "IdempotencyKey",
    nodes.String,
    st.integers(0, 999).map("key-{:06}".format),
    st.sampled_from(["", "short", "key with spaces", "k\u00e9y-0001", "x" * 256]),
    st.text(max_size=12),
)
register(
    "HsCode",
    nodes.String,
    st.sampled_from(["I", "XXI", "09", "0901", "0901.11", "090111", "8703", "8703.23"]),
    st.from_regex(r"[0-9.]{0,12}", fullmatch=True),
    st.sampled_from(["XXII", "iv", "9999", "09011110"]),
    st.text(max_size=10),
)
register(
    "Date",
    nodes.String,
    st.dates(datetime.date(1998, 1, 1), datetime.date(2030, 12, 31)).map(str),
    st.dates().map(str),
    st.sampled_from(["1999-01-04", "2024-02-30", "0000-01-01", "9999-12-31", "10000-01-01", "2024-1-1", "now"]),
    st.text(max_size=12),
)
register(
    "DateTime",
    nodes.String,
    st.datetimes(timezones=st.timezones()).map(datetime.datetime.isoformat),
    st.sampled_from(["2024-01-02T03:04:05", "9999-12-31T23:59:59-12:00", "0000-01-01T00:00:00Z", "2024-01-02"]),
    st.text(max_size=30),
)

# Another implementation of GraphQL, to say which documents are valid.
schema = graphql.build_schema(pathlib.Path(__file__).parents[2].joinpath("schema.graphql").read_text())

# Arguments that may be left out. schemathesis gives all of them, and all together make few sensible questions.
optional = {
    name
    for type in schema.type_map.values()
    if graphql.is_object_type(type) and not graphql.is_introspection_type(type)
    for field in type.fields.values()
    for name, argument in field.args.items()
    if not graphql.is_required_argument(argument)
}


@schemathesis.hook
def flatmap_body(context, document):
    """The same question without some of its arguments."""
    some = st.sets(st.sampled_from(sorted(optional)), min_size=len(optional) // 2)
    return some.map(lambda names: without(document, names))


def without(document, names):
    """A document without the arguments of these names, where they may be left out."""
    types = graphql.TypeInfo(schema)

    class LeaveOut(graphql.Visitor):
        def enter_argument(self, node, *_):
            argument = types.get_argument()
            if node.name.value in names and argument and not graphql.is_required_argument(argument):
                return graphql.REMOVE

    return graphql.visit(document, graphql.TypeInfoVisitor(types, LeaveOut()))


# What a document that does not fit the schema is refused with.
INVALID = {"GRAPHQL_PARSE_FAILED", "GRAPHQL_VALIDATION_FAILED"}

# What a value is refused with that is not one of a scalar of ours. The other implementation takes any.
UNREADABLE = {
    "INVALID_DECIMAL",
    "INVALID_DATE",
    "UNKNOWN_CURRENCY",
    "INVALID_HS_CODE",
    "INVALID_BIG_INT",
    "INVALID_IDEMPOTENCY_KEY",
}

# What asks for too much is refused before anybody looks whether it is valid.
TOO_MUCH = {"OPERATION_TOO_COMPLEX"}

# Codes that are the server's own fault. No question may bring one about.
OURS = {"INTERNAL_SERVER_ERROR", "SERVICE_UNAVAILABLE", "DEADLINE_EXCEEDED"}


@schemathesis.check
def answers_with_data_or_codes(ctx, response, case):
    """An answer is JSON with data, or with errors that each have a code, and never the server's fault."""
    assert response.status_code in (200, 400), f"HTTP status {response.status_code}"
    content_type = response.headers.get("content-type", [""])[0].split(";")[0]
    assert content_type in ("application/graphql-response+json", "application/json"), f"content type {content_type!r}"
    answer = response.json()
    assert isinstance(answer, dict), "the answer is not a JSON object"
    errors = answer.get("errors", [])
    assert errors or isinstance(answer.get("data"), dict), "neither data nor errors"
    assert "errors" not in answer or errors, "an empty list of errors"
    assert len(errors) <= 5, f"{len(errors)} errors"
    for error in errors:
        code = error.get("extensions", {}).get("code")
        assert isinstance(code, str) and code, f"an error without a code: {error}"
        assert code not in OURS, f"the server's own fault: {error}"
        assert 0 < len(error["message"]) <= 300, f"a message of {len(error['message'])} characters"
    # A refused request has no data and is not a success; an executed one has data, be it null.
    if response.status_code == 400:
        assert errors and "data" not in answer, "a refused request with data"


@schemathesis.check
def agrees_on_what_is_valid(ctx, response, case):
    """The server refuses what another implementation refuses, and nothing else, as a document that is not valid."""
    document = json.loads(response.request.body)["query"]
    mistakes = graphql.validate(schema, graphql.parse(document))
    codes = {error["extensions"]["code"] for error in response.json().get("errors", [])}
    if mistakes:
        assert codes & (INVALID | UNREADABLE | TOO_MUCH), f"accepted, although {mistakes[0].message}"
    else:
        assert not codes & INVALID, f"refused as {codes}, although it is valid"
