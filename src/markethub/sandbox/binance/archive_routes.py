"""The doors of the bulk archive, as its bucket answers."""

from typing import Final
from xml.sax.saxutils import escape

from aiohttp import web

from markethub.sandbox.binance.archive import KlineArchive

_CHECKSUM: Final = ".CHECKSUM"
_ZIP: Final = ".zip"


def create_archive_app(archive: KlineArchive) -> web.Application:
    """The application to mount below ``/data``."""

    async def get_file(request: web.Request) -> web.Response:
        where = request.match_info
        file = where["file"].removesuffix(_CHECKSUM)
        if not file.endswith(_ZIP):
            return _answer_missing(request)
        name = archive.find(where["period"], where["symbol"], where["interval"], file.removesuffix(_ZIP))
        packed = None if name is None else await archive.fetch(name)
        if packed is None:
            return _answer_missing(request)
        if where["file"].endswith(_CHECKSUM):
            checksum = f"{packed.sha256}  {file}\n"
            return web.Response(body=checksum.encode(), content_type="binary/octet-stream")
        return web.Response(body=packed.content, content_type="application/zip")

    async def get_missing(request: web.Request) -> web.Response:
        return _answer_missing(request)

    app = web.Application()
    app.router.add_get("/spot/{period:monthly|daily}/klines/{symbol}/{interval}/{file}", get_file)
    app.router.add_get("/{unknown:.*}", get_missing)
    return app


def _answer_missing(request: web.Request) -> web.Response:
    key = escape(request.path.removeprefix("/"))
    text = (
        '<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>NoSuchKey</Code>'
        f"<Message>The specified key does not exist.</Message><Key>{key}</Key></Error>"
    )
    return web.Response(status=404, text=text, content_type="application/xml")
