"""Answers of a separate port to requests that aiohttp refuses before they reach a route, in the format of all errors of the API.

Nothing of such a request is repeated, neither to its client nor in the log: its bytes may be a key.
"""

from http import HTTPStatus
from typing import cast

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError, LineTooLong

from ..protocol.errors import InvalidRequestError, UpstreamTimeoutError
from .connections import LONGEST_FIELD, LONGEST_LINE, MOST_FIELDS, Refuse
from .dispatch import begin, internal_error
from .gateway import Gateway
from .request_log import CURRENT, id_of


def refusals(gateway: Gateway, *, logged: bool) -> Refuse:
    """The answers of a gateway's port. `logged`: each has a line in the log of requests."""

    def refuse(request: web.BaseRequest, status: int, failure: BaseException | None) -> web.Response:
        http = cast("web.Request", request)  # the factory of an application makes no others
        if status == HTTPStatus.INTERNAL_SERVER_ERROR:
            error = internal_error(id_of(http))
        elif status == HTTPStatus.GATEWAY_TIMEOUT:
            error = UpstreamTimeoutError("The request took too long.")
        else:
            status, error = _refusal(status, failure)
        answer = begin(gateway, http).error_response(error)
        answer.set_status(status)
        # A request that reached the middleware has its line.
        if logged and gateway.request_log is not None and CURRENT.get() is None:
            gateway.request_log.refused(http, answer, error.code)
        return answer

    return refuse


def _refusal(status: int, failure: BaseException | None) -> tuple[int, InvalidRequestError]:
    """The status and the error for a request that aiohttp refuses with `status`."""
    if isinstance(failure, LineTooLong) and failure.args[1] == LONGEST_LINE:
        message = f"The request line is longer than {LONGEST_LINE} bytes. Send long values in a body."
        return HTTPStatus.REQUEST_URI_TOO_LONG, InvalidRequestError(message, code="uri_too_long")
    if isinstance(failure, LineTooLong):
        message = f"A header is longer than {LONGEST_FIELD} bytes."
        return HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, InvalidRequestError(message, code="headers_too_large")
    if isinstance(failure, HttpProcessingError):
        if failure.message.startswith("Too many headers"):
            message = f"The request has more than {MOST_FIELDS} headers."
            return HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, InvalidRequestError(message, code="headers_too_large")
        return status, InvalidRequestError("The request is not valid HTTP/1.1.", code="invalid_http")
    if status == HTTPStatus.EXPECTATION_FAILED:
        message = "The server supports only one value of the header Expect: 100-continue."
        return status, InvalidRequestError(message, code="expectation_failed")
    return status, InvalidRequestError(f"{HTTPStatus(status).phrase}.")
