# SPDX-License-Identifier: Apache-2.0
"""Tasks for celery_test.py; the worker and the test both load this. SLUICE_AMQP_URL says where the broker is."""
import os

from celery import Celery
from kombu import Queue

PREFIX = os.environ["SLUICE_TEST_ID"]
app = Celery("sluice", broker=os.environ["SLUICE_AMQP_URL"], backend="rpc://")
app.conf.update(
    task_default_queue=f"{PREFIX}-celery", task_acks_late=True, worker_prefetch_multiplier=2,
    task_queues=[Queue(f"{PREFIX}-celery"), Queue(f"{PREFIX}-urgent", queue_arguments={"x-max-priority": 10})],
    task_routes={"urgent": {"queue": f"{PREFIX}-urgent"}}, event_queue_prefix=f"{PREFIX}-ev",
    control_exchange=f"{PREFIX}-control", event_exchange=f"{PREFIX}-events", broker_connection_retry=False)


@app.task(name="add")
def add(x, y):
    return x + y


@app.task(name="urgent")
def urgent(text):
    return text.upper()


@app.task(name="flaky", bind=True, max_retries=3)
def flaky(self):
    if self.request.retries < 2:
        raise self.retry(countdown=0.05)
    return self.request.retries


@app.task(name="fails")
def fails():
    raise ValueError("on purpose")
