"""``markethub mcp``."""

# ruff: noqa: PLC0415 - what is slow to import waits for the command that needs it

import asyncio
import typing

from markethub.cli.connection import read_settings, use_data_folder
from markethub.cli.options import ConfigFile, DataDir, HubUrl
from markethub.domain.errors import MarketHubError

if typing.TYPE_CHECKING:
    from markethub.mcp.calls import Question, Reply


_LONGEST_S = 86_400.0


def mcp(*, url: HubUrl = None, config: ConfigFile = None, data_dir: DataDir = None) -> None:
    """Give an AI model on this machine the hub's tools, over stdin and stdout.

    Not for people: a program such as an assistant starts it, and ends it by closing stdin. The hub may start
    later, and is found at every call. It has the same tools at /mcp, for programs elsewhere.
    """
    from markethub.log_format import configure_logging

    settings = read_settings(config, data_dir)
    use_data_folder(settings)
    configure_logging("auto", "warning")
    asyncio.run(_serve(url, settings.mcp.answer_tokens))


async def _serve(url: str | None, answer_tokens: int) -> None:
    from markethub.client import AsyncDataHub
    from markethub.mcp.calls import Reply, refuse
    from markethub.mcp.server import serve_stdio

    async with AsyncDataHub(url) as hub:

        async def ask(question: "Question") -> "Reply":
            try:
                answer = await hub.request(
                    question.method,
                    question.path,
                    query=question.query,
                    body=question.body,
                    timeout_s=_LONGEST_S if question.is_slow else None,
                )
            except MarketHubError as error:
                return refuse(error.status, error.code, str(error))
            return Reply(200, answer)

        await serve_stdio(ask, answer_tokens)
