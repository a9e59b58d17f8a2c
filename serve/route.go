package serve

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"math"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/goclip/goclip/internal/guard"
)

// dialect is how a family of clients is spoken to.
type dialect struct {
	name string
	fail func(f *fault) any // the document of an error
}

// route is one address. Its function returns what is sent as JSON, or nil where it has
// answered by itself.
type route struct {
	pattern string
	dialect *dialect
	free    bool // needs no key
	handle  func(s *Server, w http.ResponseWriter, r *http.Request) (any, error)
}

// routes are those of all dialects, each of which has a file. What is not here is answered
// as goclip's own.
func (s *Server) routes() []route {
	return slices.Concat(s.ownRoutes(), immichRoutes(), weaviateRoutes(), openAIRoutes(), photofieldRoutes(), retrievalRoutes())
}

// otherwise are routes for the other methods of the same addresses, which say so.
func otherwise(routes []route) (more []route) {
	allowed, first := map[string][]string{}, map[string]*dialect{}
	var paths []string
	for _, r := range routes {
		method, path, ok := strings.Cut(r.pattern, " ")
		if !ok {
			continue
		}
		if first[path] == nil {
			first[path], paths = r.dialect, append(paths, path)
		}
		allowed[path] = append(allowed[path], method)
	}
	for _, path := range paths {
		allow := strings.Join(allowed[path], ", ")
		more = append(more, route{path, first[path], true, func(_ *Server, w http.ResponseWriter, _ *http.Request) (any, error) {
			w.Header().Set("Allow", allow)
			return nil, refused(http.StatusMethodNotAllowed, "want %s", allow)
		}})
	}
	return more
}

// answer is a route as a handler.
func (s *Server) answer(at route) http.Handler {
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		began := time.Now()
		w := &recorder{ResponseWriter: rw, slow: http.NewResponseController(rw), stall: s.o.Stall}
		var body any
		err := s.admit(at, r)
		if err == nil {
			err = guard.Call(func() (err error) {
				body, err = at.handle(s, w, r)
				return err
			})
		}
		var f *fault
		if err != nil {
			f = faultOf(err)
			body = at.dialect.fail(f)
		}
		switch {
		case w.status != 0: // answered, or cut off while it was
		case f != nil && f.status == statusGone:
			// Who is there after all is not to take an empty answer for one.
			rw.Header().Set("Connection", "close")
			rw.WriteHeader(http.StatusServiceUnavailable)
			w.status = statusGone
		default:
			w.send(f, body)
		}
		s.note(at, r, w, f, time.Since(began))
	})
}

// note counts and logs what was answered. What clients send is in neither.
func (s *Server) note(at route, r *http.Request, w *recorder, f *fault, took time.Duration) {
	s.metrics.requests.WithLabelValues(at.dialect.name, strconv.Itoa(w.status)).Inc()
	s.metrics.seconds.WithLabelValues(at.dialect.name).Observe(took.Seconds())
	attrs := []any{"method", r.Method, "route", at.pattern, "status", w.status, "seconds", took.Seconds(), "bytes", w.written, "remote", r.RemoteAddr}
	if f == nil || f.cause == nil {
		s.o.Log.Info("request", attrs...)
		return
	}
	var p *guard.Panic
	if errors.As(f.cause, &p) { // its value may quote a caption
		s.o.Log.Error("request", append(attrs, "panic", string(p.Stack))...)
		return
	}
	s.o.Log.Error("request", append(attrs, "error", f.cause.Error())...)
}

// admit refuses requests without a key, and those that a browser makes for another page.
func (s *Server) admit(at route, r *http.Request) error {
	if !at.free && !s.keys.has(r) {
		return refused(http.StatusUnauthorized, "this server wants an API key, as in Authorization: Bearer KEY")
	}
	if len(s.keys) == 0 && strings.HasPrefix(r.URL.Path, "/api/") && !hereBy(r) {
		return refused(http.StatusForbidden, "this address is this machine's own, and the request calls it %.100q: use the number or localhost, or set an API key", r.Host)
	}
	if site := r.Header.Get("Sec-Fetch-Site"); site == "cross-site" || site == "same-site" || foreignOrigin(r) {
		if r.Method != http.MethodGet || r.Header.Get("Sec-Fetch-Mode") != "navigate" {
			return refused(http.StatusForbidden, "pages of other sites may not use this server")
		}
	}
	return nil
}

// hereBy tells whether what came in by the machine's own address was called so. A page of
// another site whose name turns into that address is of the same site to the browser, but
// its name gives it away.
func hereBy(r *http.Request) bool {
	local, ok := r.Context().Value(http.LocalAddrContextKey).(*net.TCPAddr)
	if !ok || !local.IP.IsLoopback() {
		return true
	}
	name := (&url.URL{Host: r.Host}).Hostname()
	ip := net.ParseIP(name)
	return name == "localhost" || strings.HasSuffix(name, ".localhost") || ip != nil && ip.IsLoopback()
}

// foreignOrigin tells whether a request says that it comes from another site's page.
func foreignOrigin(r *http.Request) bool {
	origin := r.Header.Get("Origin")
	if origin == "" {
		return false
	}
	u, err := url.Parse(origin)
	return err != nil || u.Host != r.Host
}

// keys are the hashes of API keys, which are compared in the same time whatever they are.
type keys [][sha256.Size]byte

func newKeys(plain []string) (k keys) {
	for _, p := range plain {
		k = append(k, sha256.Sum256([]byte(p)))
	}
	return k
}

func (k keys) has(r *http.Request) bool {
	if len(k) == 0 {
		return true
	}
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return false
	}
	sum, found := sha256.Sum256([]byte(strings.TrimSpace(token))), 0
	for i := range k {
		found |= subtle.ConstantTimeCompare(sum[:], k[i][:])
	}
	return found == 1
}

// recorder remembers what was answered, and gives up on clients that take nothing.
type recorder struct {
	http.ResponseWriter
	slow    *http.ResponseController
	stall   time.Duration
	status  int
	written int64
}

func (w *recorder) WriteHeader(status int) {
	if w.status == 0 {
		w.status = status
		w.ResponseWriter.WriteHeader(status)
	}
}

func (w *recorder) Write(b []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	n := 0
	for n < len(b) {
		_ = w.slow.SetWriteDeadline(time.Now().Add(w.stall)) // not every writer has one
		m, err := w.ResponseWriter.Write(b[n:min(n+64<<10, len(b))])
		n += m
		w.written += int64(m)
		if err != nil {
			return n, err
		}
	}
	// At once, or what is written later has what is left of the deadline.
	_ = w.slow.Flush()
	return n, nil
}

// Unwrap is for [http.ResponseController].
func (w *recorder) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// send writes a document, that of a fault with its status.
func (w *recorder) send(f *fault, body any) {
	status := http.StatusOK
	h := w.Header()
	if f != nil {
		status = f.status
		if f.retry > 0 {
			h.Set("Retry-After", strconv.Itoa(int(math.Ceil(f.retry.Seconds()))))
		}
		if status == http.StatusUnauthorized {
			h.Set("WWW-Authenticate", "Bearer")
		}
	}
	if body == nil {
		w.WriteHeader(http.StatusNoContent)
		return
	}
	text, err := json.Marshal(body)
	if err != nil { // NaN, of a model with such weights
		status, text = http.StatusInternalServerError, []byte(`{"error":"the answer is no JSON: the model's embeddings are not finite"}`)
	}
	h.Set("Content-Type", "application/json")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Length", strconv.Itoa(len(text)+1))
	w.WriteHeader(status)
	_, _ = w.Write(append(text, '\n')) // a client that left does not read it
}

// plainText answers in text.
func plainText(w http.ResponseWriter, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = w.Write([]byte(text))
}
