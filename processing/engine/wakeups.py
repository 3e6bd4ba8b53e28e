"""Messages that say "this queue has work". Losing one costs a second at most: the sweeper sends another."""

import logging
from collections.abc import Callable
from functools import cache

import dramatiq
import redis
from django.conf import settings
from dramatiq.brokers.redis import RedisBroker
from dramatiq.errors import BrokerConnectionError
from dramatiq.message import Message

logger = logging.getLogger("pix.wakeups")
ACTOR = "drain"
QUEUES = ("light", "default", "ml")
NAMESPACE = "pix"
REDIS_TIMEOUT_S = 0.5
POLL_MS = 100  # how long an idle worker sleeps between looks: by default a second, and 292 ms of latency


def redis_client() -> redis.Redis:
    """A client that reports a dead server after half a second, without repeating the command."""
    return redis.Redis.from_url(
        settings.REDIS_URL, socket_connect_timeout=REDIS_TIMEOUT_S, socket_timeout=REDIS_TIMEOUT_S, retry=None
    )


@cache
def sender() -> RedisBroker:
    """The broker through which wake-ups are sent."""
    return _broker(wakeups_for=QUEUES)


def _broker(*, wakeups_for: tuple[str, ...]) -> RedisBroker:
    """No middleware: retries, time limits and results are PostgreSQL's business."""
    broker = RedisBroker(client=redis_client(), middleware=[], namespace=NAMESPACE)
    for queue in wakeups_for:
        broker.declare_queue(queue)
    return broker


def consumer(queue: str, function: Callable[[str], None]) -> dramatiq.Worker:
    """A Dramatiq worker that calls `function` in one of the queue's threads for each wake-up.

    It has a broker of its own: two workers on one broker would take each other's acknowledgements.
    """
    broker = _broker(wakeups_for=(queue,))
    dramatiq.actor(broker=broker, actor_name=ACTOR, queue_name=queue)(function)
    worker = dramatiq.Worker(broker, queues={queue}, worker_timeout=POLL_MS, worker_threads=threads(queue))
    worker.queue_prefetch = threads(queue)  # what runs counts too: more would be hoarded by a busy process
    return worker


def threads(queue: str) -> int:
    """How many operations of a queue one worker process runs at once."""
    return max(1, int(getattr(settings, f"QUEUE_CONCURRENCY_{queue.upper()}")))


def send(queue: str, count: int = 1) -> bool:
    """Wake up to `count` threads; False when Redis is away, which neither fails nor slows the caller."""
    try:
        for _ in range(min(count, threads(queue))):
            sender().enqueue(_message(queue))
    except (redis.RedisError, BrokerConnectionError, OSError) as error:
        logger.warning("Redis is not available; the sweeper will wake the workers: %s", error)
        return False
    return True


def waiting(queue: str) -> int:
    """Wake-ups that nobody has taken yet."""
    return int(redis_client().llen(f"{NAMESPACE}:{queue}"))


def _message(queue: str) -> Message:
    return Message(queue_name=queue, actor_name=ACTOR, args=(queue,), kwargs={}, options={})
