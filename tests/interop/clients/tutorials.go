// SPDX-License-Identifier: Apache-2.0

// The tutorial patterns and some features with Go's amqp091-go; built and run by go_client_test.py: PATTERN URL.
package main

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

var id = os.Getenv("SLUICE_TEST_ID")
var limit = 10 * time.Second

func must(err error) {
	if err != nil {
		panic(err)
	}
}

func check(what string, got, wanted interface{}) {
	if fmt.Sprint(got) != fmt.Sprint(wanted) {
		panic(fmt.Sprintf("%s: got %v instead of %v", what, got, wanted))
	}
}

func channel(c *amqp.Connection) *amqp.Channel {
	ch, err := c.Channel()
	must(err)
	return ch
}

func queue(ch *amqp.Channel, name string, durable, exclusive bool, args amqp.Table) string {
	q, err := ch.QueueDeclare(name, durable, false, exclusive, false, args)
	must(err)
	return q.Name
}

func publish(ch *amqp.Channel, exchange, key, body string, p amqp.Publishing) {
	p.Body = []byte(body)
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	must(ch.PublishWithContext(ctx, exchange, key, false, false, p))
}

func consume(ch *amqp.Channel, queue string, autoAck bool, args amqp.Table) <-chan amqp.Delivery {
	got, err := ch.Consume(queue, "", autoAck, false, false, false, args)
	must(err)
	return got
}

func next(got <-chan amqp.Delivery) amqp.Delivery {
	select {
	case d, ok := <-got:
		if !ok {
			panic("the consumer was closed")
		}
		return d
	case <-time.After(limit):
		panic("no message came")
	}
}

func texts(count int, got <-chan amqp.Delivery) (all []string) {
	for len(all) < count {
		all = append(all, string(next(got).Body))
	}
	return all
}

func hello(c *amqp.Connection) {
	ch := channel(c)
	q := queue(ch, id+".hello", false, false, nil)
	publish(ch, "", q, "Hello World!", amqp.Publishing{ContentType: "text/plain"})
	check("the message", texts(1, consume(ch, q, true, nil)), []string{"Hello World!"})
	_, err := ch.QueueDelete(q, false, false, false)
	must(err)
}

func workQueue(c *amqp.Connection) {
	ch := channel(c)
	q := queue(ch, id+".task_queue", true, false, nil)
	done := make(chan string, 100)
	for n := 0; n < 2; n++ {
		worker := channel(c)
		must(worker.Qos(1, 0, false))
		got := consume(worker, q, false, nil)
		go func() {
			for d := range got {
				must(d.Ack(false))
				done <- string(d.Body)
			}
		}()
	}
	for n := 0; n < 20; n++ {
		publish(ch, "", q, strconv.Itoa(n), amqp.Publishing{DeliveryMode: amqp.Persistent})
	}
	seen := map[string]bool{}
	for len(seen) < 20 {
		select {
		case body := <-done:
			if seen[body] {
				panic(body + " came twice")
			}
			seen[body] = true
		case <-time.After(limit):
			panic("not all tasks came")
		}
	}
	_, err := ch.QueueDelete(q, false, false, false)
	must(err)
}

// bound gives consumers of queues of their own, one for each binding.
func bound(ch *amqp.Channel, kind string, bindings []amqp.Table, keys []string) (string, []<-chan amqp.Delivery) {
	x := id + "." + kind
	must(ch.ExchangeDeclare(x, kind, true, false, false, false, nil))
	var all []<-chan amqp.Delivery
	for n := range bindings {
		q := queue(ch, "", false, true, nil)
		must(ch.QueueBind(q, keys[n], x, false, bindings[n]))
		all = append(all, consume(ch, q, true, nil))
	}
	return x, all
}

func publishSubscribe(c *amqp.Connection) {
	ch := channel(c)
	x, all := bound(ch, "fanout", make([]amqp.Table, 3), []string{"", "", ""})
	publish(ch, x, "", "one", amqp.Publishing{})
	publish(ch, x, "", "two", amqp.Publishing{})
	for _, got := range all {
		check("the logs", texts(2, got), []string{"one", "two"})
	}
	must(ch.ExchangeDelete(x, false, false))
}

func routing(c *amqp.Connection) {
	ch := channel(c)
	x, all := bound(ch, "direct", make([]amqp.Table, 2), []string{"error", "info"})
	for _, key := range []string{"info", "warning", "error"} {
		publish(ch, x, key, key, amqp.Publishing{})
	}
	check("errors", texts(1, all[0]), []string{"error"})
	check("infos", texts(1, all[1]), []string{"info"})
	must(ch.ExchangeDelete(x, false, false))
}

func topics(c *amqp.Connection) {
	ch := channel(c)
	x, all := bound(ch, "topic", make([]amqp.Table, 3), []string{"kern.*", "*.critical", "#"})
	for _, key := range []string{"kern.info", "kern.critical", "cron.critical", "a.b.c"} {
		publish(ch, x, key, key, amqp.Publishing{})
	}
	check("kern", texts(2, all[0]), []string{"kern.info", "kern.critical"})
	check("critical", texts(2, all[1]), []string{"kern.critical", "cron.critical"})
	check("all", len(texts(4, all[2])), 4)
	must(ch.ExchangeDelete(x, false, false))
}

func headers(c *amqp.Connection) {
	ch := channel(c)
	x, all := bound(ch, "headers", []amqp.Table{{"format": "pdf", "pages": int32(3), "x-match": "all"},
		{"format": "zip", "pages": int32(3), "x-match": "any"}}, []string{"", ""})
	publish(ch, x, "", "1", amqp.Publishing{Headers: amqp.Table{"format": "pdf", "pages": int32(3)}})
	publish(ch, x, "", "2", amqp.Publishing{Headers: amqp.Table{"format": "zip"}})
	check("all", texts(1, all[0]), []string{"1"})
	check("any", texts(2, all[1]), []string{"1", "2"})
	must(ch.ExchangeDelete(x, false, false))
}

func fib(n int) int {
	if n < 2 {
		return n
	}
	return fib(n-1) + fib(n-2)
}

func rpc(c *amqp.Connection) {
	server := channel(c)
	q := queue(server, id+".rpc_queue", false, false, nil)
	requests := consume(server, q, false, nil)
	go func() {
		for d := range requests {
			n, err := strconv.Atoi(string(d.Body))
			must(err)
			publish(server, "", d.ReplyTo, strconv.Itoa(fib(n)), amqp.Publishing{CorrelationId: d.CorrelationId})
			must(d.Ack(false))
		}
	}()
	ch := channel(c)
	for _, reply := range []string{queue(ch, "", false, true, nil), "amq.rabbitmq.reply-to"} {
		got := consume(ch, reply, true, nil)
		publish(ch, "", q, "20", amqp.Publishing{ReplyTo: reply, CorrelationId: "c"})
		answer := next(got)
		check("the answer", []string{answer.CorrelationId, string(answer.Body)}, []string{"c", "6765"})
	}
	_, err := ch.QueueDelete(q, false, false, false)
	must(err)
}

func confirms(c *amqp.Connection) {
	ch := channel(c)
	must(ch.Confirm(false))
	q := queue(ch, id+".confirms", true, false, nil)
	var waiting []*amqp.DeferredConfirmation
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	for n := 0; n < 100; n++ {
		d, err := ch.PublishWithDeferredConfirmWithContext(ctx, "", q, false, false, amqp.Publishing{Body: []byte("m"),
			DeliveryMode: amqp.Persistent})
		must(err)
		waiting = append(waiting, d)
	}
	for _, d := range waiting {
		if !d.Wait() {
			panic("a nack")
		}
	}
	returns := ch.NotifyReturn(make(chan amqp.Return, 1))
	must(ch.PublishWithContext(ctx, "", id+".no-queue", true, false, amqp.Publishing{Body: []byte("back")}))
	select {
	case r := <-returns:
		check("the return", []interface{}{r.ReplyCode, r.ReplyText, string(r.Body)}, []interface{}{312, "NO_ROUTE", "back"})
	case <-time.After(limit):
		panic("no return")
	}
	count, err := ch.QueueDelete(q, false, false, false)
	must(err)
	check("the count", count, 100)
}

// tables sends a header of every type of the client and wants it back.
func tables(c *amqp.Connection) {
	ch := channel(c)
	q := queue(ch, "", false, true, nil)
	sent := amqp.Table{"bool": true, "byte": byte(200), "int8": int8(-5), "int16": int16(-300), "int32": int32(7),
		"int64": int64(1) << 40, "float32": float32(1.5), "float64": 2.5, "string": "s", "bytes": []byte{0, 1}, "nil": nil,
		"decimal": amqp.Decimal{Scale: 2, Value: 314}, "time": time.Unix(1700000000, 0).UTC(),
		"table": amqp.Table{"a": int32(1)}, "array": []interface{}{int32(1), "x", amqp.Table{}}}
	publish(ch, "", q, "m", amqp.Publishing{Headers: sent, Expiration: "60000", Priority: 3, Type: "t", AppId: "a",
		Timestamp: time.Unix(1700000000, 0)})
	d := next(consume(ch, q, true, nil))
	d.Headers["time"] = d.Headers["time"].(time.Time).UTC()
	check("headers", d.Headers, sent)
	check("properties", []interface{}{d.Expiration, d.Priority, d.Type, d.AppId, d.Timestamp.Unix()},
		[]interface{}{"60000", 3, "t", "a", 1700000000})
}

// errors wants a channel closed with code and reason, and the connection alive.
func errors(c *amqp.Connection) {
	ch := channel(c)
	closed := ch.NotifyClose(make(chan *amqp.Error, 1))
	_, err := ch.QueueDeclarePassive(id+".missing", false, false, false, false, nil)
	check("the error", err.(*amqp.Error).Code, 404)
	check("the reason", (<-closed).Reason, "NOT_FOUND - no queue '"+id+".missing' in vhost '/'")
	queue(channel(c), "", false, true, nil)
}

func main() {
	patterns := map[string]func(*amqp.Connection){"hello": hello, "work_queue": workQueue,
		"publish_subscribe": publishSubscribe, "routing": routing, "topics": topics, "headers": headers, "rpc": rpc,
		"confirms": confirms, "tables": tables, "errors": errors}
	c, err := amqp.Dial(os.Args[2])
	must(err)
	patterns[os.Args[1]](c)
	must(c.Close())
}
