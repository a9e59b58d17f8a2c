package serve

import (
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// metrics are what /metrics shows. They have a registry of their own, so that a program may
// have several servers.
type metrics struct {
	requests, refused *prometheus.CounterVec
	seconds           *prometheus.HistogramVec
	passItems         *prometheus.HistogramVec
	passSeconds       *prometheus.HistogramVec
	memory            *prometheus.GaugeVec
	dropped           prometheus.Counter
	handler           http.Handler
}

func newMetrics(s *Server) *metrics {
	m := &metrics{
		requests:    prometheus.NewCounterVec(prometheus.CounterOpts{Name: "goclip_requests_total", Help: "Requests that were answered, by dialect and status; 499 is a client that went away."}, []string{"dialect", "code"}),
		refused:     prometheus.NewCounterVec(prometheus.CounterOpts{Name: "goclip_refused_total", Help: "Requests that there was no room for in the queue or in memory."}, []string{"reason"}),
		seconds:     prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "goclip_request_seconds", Help: "Time from a request's head to the end of its answer.", Buckets: prometheus.ExponentialBuckets(0.002, 2, 14)}, []string{"dialect"}),
		passItems:   prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "goclip_pass_items", Help: "Images or texts that shared a pass of a tower.", Buckets: []float64{1, 2, 4, 8, 16, 32, 64}}, []string{"model", "kind"}),
		passSeconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "goclip_pass_seconds", Help: "Time of a pass of a tower.", Buckets: prometheus.ExponentialBuckets(0.001, 2, 14)}, []string{"model", "kind"}),
		memory:      prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "goclip_model_bytes", Help: "Memory of a model's weights, 0 while it is not loaded."}, []string{"model"}),
		dropped:     prometheus.NewCounter(prometheus.CounterOpts{Name: "goclip_dropped_total", Help: "Requests whose work was dropped because the client went away."}),
	}
	waiting := prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "goclip_queue_items", Help: "Images and texts that are under way."}, func() float64 { return float64(s.queue.used.Load()) })
	bodies := prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "goclip_body_bytes", Help: "Memory that requests are counted with."}, func() float64 { return float64(s.bodies.used.Load()) })
	r := prometheus.NewRegistry()
	r.MustRegister(m.requests, m.refused, m.seconds, m.passItems, m.passSeconds, m.memory, m.dropped, waiting, bodies,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	m.handler = promhttp.HandlerFor(r, promhttp.HandlerOpts{})
	return m
}

// pass returns what a batcher tells its passes to.
func (m *metrics) pass(model, kind string) func(n int, took time.Duration) {
	items, seconds := m.passItems.WithLabelValues(model, kind), m.passSeconds.WithLabelValues(model, kind)
	return func(n int, took time.Duration) {
		items.Observe(float64(n))
		seconds.Observe(took.Seconds())
	}
}
