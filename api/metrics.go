package api

import (
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// metrics are what the process tells Prometheus. Requests are labelled by the route's template, never by the
// address, so that their number is bounded and no id gets into a label.
type metrics struct {
	registry *prometheus.Registry
	requests *prometheus.CounterVec
	seconds  *prometheus.HistogramVec
	inFlight prometheus.Gauge
	swept    prometheus.Counter
	sweeps   *prometheus.CounterVec
	sweepSec prometheus.Histogram
	sweepOK  prometheus.Gauge
}

func newMetrics(version string, more []prometheus.Collector) (*metrics, error) {
	m := &metrics{
		registry: prometheus.NewRegistry(),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "bihuan_http_requests_total",
			Help: "Requests answered, by route template and status."}, []string{"method", "route", "status"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "bihuan_http_request_seconds",
			Help:    "Time to answer, by route template.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 10}}, []string{"method", "route"}),
		inFlight: prometheus.NewGauge(prometheus.GaugeOpts{Name: "bihuan_http_in_flight", Help: "Requests being answered."}),
		swept: prometheus.NewCounter(prometheus.CounterOpts{Name: "bihuan_sweep_changes_total",
			Help: "What the clock did to projects: rungs, overdue flags, automatic transitions."}),
		sweeps: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "bihuan_sweeps_total",
			Help: "Sweeps of the clock, by result."}, []string{"result"}),
		sweepSec: prometheus.NewHistogram(prometheus.HistogramOpts{Name: "bihuan_sweep_seconds", Help: "Time a sweep took.",
			Buckets: []float64{.01, .1, 1, 10, 60, 600}}),
		sweepOK: prometheus.NewGauge(prometheus.GaugeOpts{Name: "bihuan_sweep_last_success_timestamp_seconds",
			Help: "When the last sweep ended well; alarm when it is old."}),
	}
	info := prometheus.NewGauge(prometheus.GaugeOpts{Name: "bihuan_info", Help: "Always 1; the version is a label.",
		ConstLabels: prometheus.Labels{"version": version}})
	info.Set(1)
	all := append([]prometheus.Collector{m.requests, m.seconds, m.inFlight, m.swept, m.sweeps, m.sweepSec, m.sweepOK, info,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{})}, more...)
	for _, c := range all {
		if err := m.registry.Register(c); err != nil {
			return nil, err
		}
	}
	return m, nil
}

// answered counts one request.
func (m *metrics) answered(method, route string, status int, took time.Duration) {
	if route == "" {
		route = "none" // unknown addresses are counted together
	}
	if !known[method] {
		method = "other" // a caller may invent methods, and each would be a series of its own
	}
	m.requests.WithLabelValues(method, route, strconv.Itoa(status)).Inc()
	m.seconds.WithLabelValues(method, route).Observe(took.Seconds())
}

var known = map[string]bool{http.MethodGet: true, http.MethodHead: true, http.MethodPost: true, http.MethodPut: true,
	http.MethodPatch: true, http.MethodDelete: true, http.MethodOptions: true}

// Metrics serves GET /metrics. It belongs on a listener of its own, which need not be public.
func (s *Server) Metrics() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(s.metrics.registry, promhttp.HandlerOpts{Registry: s.metrics.registry}))
	return mux
}

// Swept is told the result of every sweep: how many changes it made, how long it took, and its error.
func (s *Server) Swept(changes int, took time.Duration, err error) {
	s.metrics.swept.Add(float64(changes))
	s.metrics.sweepSec.Observe(took.Seconds())
	if err != nil {
		s.metrics.sweeps.WithLabelValues("error").Inc()
		return
	}
	s.metrics.sweeps.WithLabelValues("ok").Inc()
	s.metrics.sweepOK.Set(float64(s.o.Now().Unix()))
}
