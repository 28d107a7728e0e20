# SPDX-License-Identifier: Apache-2.0
"""What is checked when: a publish inside a transaction is refused, or finds its way, when it is published and not when the
transaction is committed, as in RabbitMQ."""
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from amqp_case import AmqpCase, main


class ChecksInTransactions(AmqpCase):
    def selected(self):
        ch = self.channel()
        ch.tx_select()
        return ch

    def test_a_missing_exchange_is_told_at_the_publish(self):
        ch, nowhere = self.selected(), self.name()
        with self.refused(404, f"^NOT_FOUND - no exchange '{nowhere}' in vhost '/'", channel=ch):
            self.publish(ch, "key", "m", exchange=nowhere)

    def test_an_internal_exchange(self):
        exchange = self.exchange(self.channel(), "fanout", internal=True)
        ch = self.selected()
        with self.refused(403, f"cannot publish to internal exchange '{exchange}' in vhost '/'", channel=ch):
            self.publish(ch, "key", "m", exchange=exchange)

    def test_bad_properties(self):
        ch = self.selected()
        with self.refused(406, "invalid expiration", channel=ch):
            self.publish(ch, "key", "m", expiration="soon")
        ch = self.selected()
        with self.refused(406, "user_id property set to 'nobody' but authenticated user was 'guest'", channel=ch):
            self.publish(ch, "key", "m", user_id="nobody")
        ch = self.selected()
        with self.refused(406, channel=ch):
            self.publish(ch, "key", "m", headers={"CC": 5})
        ch = self.selected()
        with self.refused(406, "fast reply consumer does not exist", channel=ch):
            self.publish(ch, "key", "m", reply_to="amq.rabbitmq.reply-to")

    def test_permissions(self):
        self.addCleanup(self.ctl, "set_permissions", "guest", ".*", ".*", ".*")
        self.ctl("set_permissions", "guest", ".*", "^mine", ".*")
        ch = self.selected()
        with self.refused(403, "access to exchange 'amq.direct' in vhost '/' refused for user", channel=ch):
            self.publish(ch, "key", "m", exchange="amq.direct")
        self.ctl("set_permissions", "guest", ".*", ".*", ".*")
        self.addCleanup(self.ctl, "clear_topic_permissions", "guest")
        self.ctl("set_topic_permissions", "guest", "amq.topic", "^mine", ".*")
        ch = self.selected()
        self.publish(ch, "mine.a", "m", exchange="amq.topic")
        with self.refused(403, "access to topic 'yours.a'", channel=ch):
            self.publish(ch, "yours.a", "m", exchange="amq.topic")

    def test_rights_lost_before_the_commit_do_not_matter(self):
        other = self.channel()
        queue = self.queue(other)
        ch = self.selected()
        self.publish(ch, queue, "m")
        ch.basic_qos(prefetch_count=0)
        self.addCleanup(self.ctl, "set_permissions", "guest", ".*", ".*", ".*")
        self.ctl("set_permissions", "guest", ".*", "^mine", ".*")
        ch.tx_commit()
        self.assertEqual(self.take(other, queue, 1), ["m"])

    def test_the_size_is_told_at_the_publish(self):
        self.only_sluice("its limit is higher")
        ch = self.selected()
        with self.refused(406, "is larger than configured max size", channel=ch):
            self.publish(ch, "key", bytes((16 << 20) + 1))

    def test_the_way_is_the_one_of_the_publish(self):
        other = self.channel()
        exchange = self.exchange(other, "fanout")
        early, late = self.bound_queue(other, exchange), self.queue(other)
        ch = self.selected()
        self.publish(ch, "", "m", exchange=exchange)
        ch.basic_qos(prefetch_count=0)  # answered behind the publish
        other.queue_bind(late, exchange)
        other.exchange_delete(exchange)
        ch.tx_commit()
        self.assertEqual(self.take(other, early, 1), ["m"])
        self.assertEqual(self.ready(other, late), 0)

    def test_a_queue_that_went_meanwhile(self):
        other = self.channel()
        gone, kept = self.queue(other), self.queue(other)
        ch = self.selected()
        self.publish(ch, gone, "a")
        self.publish(ch, kept, "b")
        ch.basic_qos(prefetch_count=0)
        other.queue_delete(gone)
        ch.tx_commit()
        self.assertEqual(self.take(other, kept, 1), ["b"])

    def test_what_was_refused_takes_the_transaction_with_it(self):
        other = self.channel()
        queue = self.queue(other)
        ch = self.selected()
        self.publish(ch, queue, "never")
        with self.refused(404, channel=ch):
            self.publish(ch, "key", "m", exchange=self.name())
        self.assertEqual(self.ready(other, queue), 0)

    def test_delays_and_recent_history_wait_for_the_commit(self):
        self.only_sluice("plugins")
        other = self.channel()
        delaying = self.exchange(other, "x-delayed-message", arguments={"x-delayed-type": "fanout"})
        remembering = self.exchange(other, "x-recent-history")
        queue = self.bound_queue(other, delaying)
        ch = self.selected()
        self.publish(ch, "", "delayed", exchange=delaying, headers={"x-delay": 50})
        self.publish(ch, "", "kept", exchange=remembering)
        ch.tx_rollback()
        self.publish(ch, "", "delayed again", exchange=delaying, headers={"x-delay": 50})
        self.publish(ch, "", "kept again", exchange=remembering)
        ch.tx_commit()
        self.assertEqual(self.take(other, queue, 1), ["delayed again"])
        self.assertEqual(self.take(other, self.bound_queue(other, remembering), 1), ["kept again"])


if __name__ == "__main__":
    main()
