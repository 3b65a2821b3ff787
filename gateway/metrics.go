package gateway

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"sallyport"
	"sallyport/identity"
	"sallyport/internal/reqctx"
	"sallyport/proxy/upstream"
)

// metrics are the figures of one node. Labels are routes, upstreams, results and
// methods: never a person, a client's address or a path.
type metrics struct {
	registry      *prometheus.Registry
	requests      *prometheus.CounterVec
	duration      *prometheus.HistogramVec
	upstream      *prometheus.HistogramVec
	sent          *prometheus.CounterVec
	verifications *prometheus.CounterVec
	store         *prometheus.HistogramVec
	reloads       *prometheus.CounterVec
	reloadOK      prometheus.Gauge
	reloadAt      prometheus.Gauge

	mu     sync.Mutex // orders addSeries
	series atomic.Pointer[map[seriesKey]*series]
}

func newMetrics(version string) *metrics {
	latency := []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 85}
	m := &metrics{
		registry: prometheus.NewRegistry(),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "sallyport_requests_total",
			Help: "Requests by route, class of status, and decision."}, []string{"route", "status", "decision"}),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "sallyport_request_seconds",
			Help: "Time from a request's header to the end of its answer.", Buckets: latency}, []string{"route"}),
		upstream: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "sallyport_upstream_seconds",
			Help: "Time until the first byte of the upstream's answer.", Buckets: latency}, []string{"route"}),
		sent: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "sallyport_response_bytes_total",
			Help: "Bytes of answers' bodies."}, []string{"route"}),
		verifications: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "sallyport_verifications_total",
			Help: "First factors and verifications by method and result."}, []string{"method", "result"}),
		store: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "sallyport_store_seconds",
			Help: "Time of store operations.", Buckets: []float64{.0001, .0005, .001, .005, .01, .05, .1, .5, 1, 5}}, []string{"operation", "result"}),
		reloads: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "sallyport_config_reloads_total",
			Help: "Reloads of the routing file by result."}, []string{"result"}),
		reloadOK: prometheus.NewGauge(prometheus.GaugeOpts{Name: "sallyport_config_last_reload_successful",
			Help: "1 when the routing file as it is on disk is in force, 0 when the last reload failed."}),
		reloadAt: prometheus.NewGauge(prometheus.GaugeOpts{Name: "sallyport_config_last_success_timestamp_seconds",
			Help: "When the routing file in force was read."}),
	}
	m.series.Store(&map[seriesKey]*series{})
	m.reloadOK.Set(1)
	build := prometheus.NewGauge(prometheus.GaugeOpts{Name: "sallyport_build_info", Help: "1, with the version as a label.",
		ConstLabels: prometheus.Labels{"version": version}})
	build.Set(1)
	m.registry.MustRegister(m.requests, m.duration, m.upstream, m.sent, m.verifications, m.store, m.reloads, m.reloadOK, m.reloadAt,
		build, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// series are the figures of one route, class of status and decision, looked up
// once.
type series struct {
	requests, sent     prometheus.Counter
	duration, upstream prometheus.Observer
}

type seriesKey struct {
	route, decision string
	class           int
}

// Observe counts a finished request.
func (m *metrics) Observe(info *reqctx.Info, status int, bytes int64, d time.Duration) {
	key := seriesKey{info.Route, info.Decision, status / 100}
	s := (*m.series.Load())[key]
	if s == nil {
		s = m.addSeries(key)
	}
	s.requests.Inc()
	s.sent.Add(float64(bytes))
	s.duration.Observe(d.Seconds())
	if info.UpstreamTime > 0 {
		s.upstream.Observe(info.UpstreamTime.Seconds())
	}
}

// addSeries makes the series of a key in a copy of the table, so that looking up
// takes no lock. Routes, decisions and classes are few.
func (m *metrics) addSeries(key seriesKey) *series {
	m.mu.Lock()
	defer m.mu.Unlock()
	s := &series{
		requests: m.requests.WithLabelValues(key.route, strconv.Itoa(key.class)+"xx", key.decision),
		sent:     m.sent.WithLabelValues(key.route),
		duration: m.duration.WithLabelValues(key.route),
		upstream: m.upstream.WithLabelValues(key.route),
	}
	table := maps.Clone(*m.series.Load())
	table[key] = s
	m.series.Store(&table)
	return s
}

// Verification counts a judged factor.
func (m *metrics) Verification(kind sallyport.Kind, result string) {
	m.verifications.WithLabelValues(string(kind), result).Inc()
}

// storeDone notes a store operation.
func (m *metrics) storeDone(operation string, d time.Duration, err error) {
	result := "ok"
	if err != nil && errors.Is(err, sallyport.ErrUnavailable) {
		result = "unavailable"
	}
	m.store.WithLabelValues(operation, result).Observe(d.Seconds())
}

func (m *metrics) reloaded(now time.Time, ok bool) {
	if !ok {
		m.reloads.WithLabelValues("failure").Inc()
		m.reloadOK.Set(0)
		return
	}
	m.reloads.WithLabelValues("success").Inc()
	m.reloadOK.Set(1)
	m.reloadAt.Set(float64(now.Unix()))
}

// watchMetrics registers the figures that are read when they are asked for.
func (g *Gateway) watchMetrics() {
	g.metrics.reloadAt.Set(float64(g.o.Now().Unix()))
	g.metrics.registry.MustRegister(
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "sallyport_sessions_cached",
			Help: "Grants in this node's cache."}, func() float64 { return float64(g.sessions.Stats().Cached) }),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "sallyport_store_behind_seconds",
			Help: "Time since this node last saw the store's changes."}, func() float64 { return g.sessions.Stats().Behind.Seconds() }),
		&expiries{g: g},
		&upstreams{g: g},
	)
}

// upstreams is a collector: the state is read when it is asked for, from the
// generation in force then.
type upstreams struct{ g *Gateway }

func upstreamDesc() *prometheus.Desc {
	return prometheus.NewDesc("sallyport_upstream_healthy",
		"0 while an upstream's health check fails or it could not be reached a moment ago, else 1.", []string{"route", "upstream"}, nil)
}

// Describe implements prometheus.Collector.
func (*upstreams) Describe(ch chan<- *prometheus.Desc) { ch <- upstreamDesc() }

// Collect implements prometheus.Collector.
func (u *upstreams) Collect(ch chan<- prometheus.Metric) {
	gen := u.g.current.Load()
	if gen == nil {
		return
	}
	type label struct{ route, address string }
	healthy := map[label]float64{} // an address may be listed twice, for more of the load
	gen.proxy.EachUpstream(func(route string, s upstream.State) {
		at := label{route, s.Address}
		if was, ok := healthy[at]; s.Healthy && (!ok || was == 1) {
			healthy[at] = 1
		} else {
			healthy[at] = 0
		}
	})
	desc := upstreamDesc()
	for at, v := range healthy {
		ch <- prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, v, at.route, at.address)
	}
}

// expiries is a collector: hosts may change with each reload.
type expiries struct{ g *Gateway }

func expiryDesc() *prometheus.Desc {
	return prometheus.NewDesc("sallyport_certificate_expiry_timestamp_seconds", "When a certificate ends.", []string{"host"}, nil)
}

// Describe implements prometheus.Collector.
func (*expiries) Describe(ch chan<- *prometheus.Desc) { ch <- expiryDesc() }

// Collect implements prometheus.Collector.
func (e *expiries) Collect(ch chan<- prometheus.Metric) {
	desc := expiryDesc()
	for host, at := range e.g.certs.Expiry() {
		ch <- prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, float64(at.Unix()), host)
	}
}

// adminHandler serves the admin listener: nothing of it is on the public ones.
func (g *Gateway) adminHandler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		writePlain(w, http.StatusOK, "ok\n")
	})
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, r *http.Request) {
		if err := g.probe(r.Context()); err != nil {
			g.log.Warn("not ready", "error", err)
			writePlain(w, http.StatusServiceUnavailable, "not ready: see the log\n")
			return
		}
		writePlain(w, http.StatusOK, "ready\n")
	})
	mux.Handle("GET /metrics", promhttp.HandlerFor(g.metrics.registry, promhttp.HandlerOpts{}))
	mux.HandleFunc("GET /ca.pem", func(w http.ResponseWriter, _ *http.Request) {
		pem := g.certs.Root()
		if pem == nil {
			writePlain(w, http.StatusNotFound, "certificates do not come from an internal CA\n")
			return
		}
		w.Header().Set("Content-Type", "application/x-pem-file")
		_, _ = w.Write(pem)
	})
	return mux
}

// probe says whether this node can serve a sign-in now. An identity provider that
// is away does not make the node unready: another one would be no better off.
func (g *Gateway) probe(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	if !g.ready.Load() {
		return errors.New("starting or stopping")
	}
	for _, p := range g.current.Load().providers {
		if pr, ok := p.(identity.Prober); ok {
			if err := pr.Probe(ctx); err != nil {
				g.log.Warn("an identity provider is away", "provider", p.Name(), "error", err)
			}
		}
	}
	return g.db.Ping(ctx)
}

func writePlain(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write([]byte(text))
}
