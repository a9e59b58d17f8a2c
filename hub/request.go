package hub

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// faults are what tests change.
type faults struct {
	pause time.Duration                 // between tries; default: one second
	write func(n int64, b []byte) error // before b is written behind n bytes
}

// authorized adds the token to requests to the endpoint itself: not to another host that it
// redirects to, nor to another port or without TLS.
type authorized struct {
	base   http.RoundTripper
	origin string
	token  string
}

func (a authorized) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Del("Authorization")
	if a.token != "" && origin(r.URL) == a.origin {
		r.Header.Set("Authorization", "Bearer "+a.token)
	}
	return a.base.RoundTrip(r)
}

// origin is a URL's scheme, host and port.
func origin(u *url.URL) string {
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	return u.Scheme + "://" + strings.ToLower(u.Hostname()) + ":" + port
}

// caller makes the requests of one download.
type caller struct {
	*Client
	base   string // the endpoint
	client http.Client
	state  Progress
	told   time.Time
}

func (c *Client) caller(name string) (*caller, error) {
	if c.offline() {
		return nil, fmt.Errorf("%w: no request is made (HF_HUB_OFFLINE, or Client.Offline)", ErrOffline)
	}
	base := c.endpoint()
	u, err := url.Parse(base)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, fmt.Errorf("the endpoint %q is not the address of a server, as in %s", base, publicEndpoint)
	}
	transport := c.Transport
	if transport == nil {
		transport = http.DefaultTransport
	}
	return &caller{Client: c, base: base, state: Progress{Name: name},
		client: http.Client{Transport: authorized{transport, origin(u), c.token()}}}, nil
}

// do makes a request, and again where the server asks for patience or fails for a
// moment. The body ends with an error where nothing comes for the stall limit, and must
// be closed. home tells to return a redirect to another host instead of following it.
func (c *caller) do(ctx context.Context, method, address string, header http.Header, home bool) (*http.Response, error) {
	client := c.client
	client.CheckRedirect = func(r *http.Request, via []*http.Request) error {
		switch {
		case len(via) > 10:
			return errors.New("more than 10 redirects")
		case via[0].URL.Scheme == "https" && r.URL.Scheme != "https":
			return fmt.Errorf("a redirect to %s, which is not encrypted", withoutQuery(r.URL))
		case home && origin(r.URL) != origin(via[0].URL):
			return http.ErrUseLastResponse
		}
		return nil
	}
	for try := 1; ; try++ {
		answer, err := c.once(ctx, &client, method, address, header)
		if err == nil {
			return answer, nil
		}
		wait, again := c.patience(err, try)
		if !again || try == tries || ctx.Err() != nil {
			return nil, err
		}
		if err := c.wait(ctx, wait, err); err != nil {
			return nil, err
		}
	}
}

func (c *caller) once(ctx context.Context, client *http.Client, method, address string, header http.Header) (*http.Response, error) {
	outer := ctx
	ctx, cancel := context.WithCancelCause(ctx)
	limit := c.stall()
	timer := time.AfterFunc(limit, func() { cancel(stalled(limit)) })
	end := func() { timer.Stop(); cancel(nil) }
	r, err := http.NewRequestWithContext(ctx, method, address, nil)
	if err != nil {
		end()
		return nil, err
	}
	for name, values := range header {
		r.Header[name] = values
	}
	r.Header.Set("User-Agent", "goclip")
	r.Header.Set("Accept-Encoding", "identity") // sizes are of the files themselves
	answer, err := client.Do(r)
	if err != nil {
		err = plainError(outer, ctx, err)
		end()
		return nil, err
	}
	if answer.StatusCode >= 400 && answer.StatusCode != http.StatusRequestedRangeNotSatisfiable {
		err := statusError{answer.StatusCode, answer.Header}
		_ = answer.Body.Close()
		end()
		return nil, err
	}
	answer.Body = &watched{answer.Body, outer, ctx, timer, limit, end}
	return answer, nil
}

// watched is a body that ends where nothing comes for too long.
type watched struct {
	body       io.ReadCloser
	outer, ctx context.Context
	timer      *time.Timer
	limit      time.Duration
	end        func()
}

func (w *watched) Read(p []byte) (int, error) {
	n, err := w.body.Read(p)
	if n > 0 {
		w.timer.Reset(w.limit)
	}
	if err != nil && err != io.EOF {
		err = plainError(w.outer, w.ctx, err)
	}
	return n, err
}

func (w *watched) Close() error {
	defer w.end()
	return w.body.Close()
}

// stalled ends a request to which nothing comes.
type stalled time.Duration

func (s stalled) Error() string {
	return fmt.Sprintf("the server sent nothing for %v", time.Duration(s))
}

// plainError says why a request failed: what ended the caller's context, that it stalled, or
// what net/http says without the secrets of the address.
func plainError(outer, ctx context.Context, err error) error {
	if outer.Err() != nil {
		return outer.Err()
	}
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	var u *url.Error
	if errors.As(err, &u) {
		if at, bad := url.Parse(u.URL); bad == nil {
			return fmt.Errorf("%s %s: %w", strings.ToUpper(u.Op), withoutQuery(at), u.Err)
		}
		return u.Err
	}
	return err
}

// withoutQuery is an address without what may be secret in it.
func withoutQuery(u *url.URL) string {
	v := *u
	v.RawQuery, v.Fragment, v.User = "", "", nil
	return v.String()
}

const (
	tries       = 5
	maxPatience = 2 * time.Minute // that a server may ask for
)

// patience says whether a request that failed is worth another one, and when.
func (c *caller) patience(err error, try int) (time.Duration, bool) {
	wait := c.faults.pause
	if wait == 0 {
		wait = time.Second
	}
	wait <<= try - 1
	var status statusError
	if !errors.As(err, &status) {
		var dial *net.OpError // nobody is there, or the network is not
		return wait, !(errors.As(err, &dial) && dial.Op == "dial")
	}
	switch status.code {
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		if after, ok := retryAfter(status.header); ok {
			return after, after <= maxPatience
		}
		return wait, true
	case http.StatusRequestTimeout, http.StatusInternalServerError, http.StatusBadGateway, http.StatusGatewayTimeout:
		return wait, true
	}
	return 0, false
}

// retryAfter reads the header, which has seconds or a date. RateLimit, which the hub
// sends, says the same as t=seconds.
func retryAfter(h http.Header) (time.Duration, bool) {
	text := strings.TrimSpace(h.Get("Retry-After"))
	if text == "" {
		_, text, _ = strings.Cut(h.Get("RateLimit"), "t=")
		text, _, _ = strings.Cut(text, ";")
	}
	if s, err := strconv.Atoi(text); err == nil && s >= 0 {
		return time.Duration(min(s, 1<<20)) * time.Second, true
	}
	if at, err := http.ParseTime(text); err == nil {
		return max(0, time.Until(at)), true
	}
	return 0, false
}

func (c *caller) wait(ctx context.Context, d time.Duration, why error) error {
	if d >= 100*time.Millisecond {
		c.tell(fmt.Sprintf("%v; again in %v", why, d.Round(100*time.Millisecond)))
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}

// statusError is an answer that is none.
type statusError struct {
	code   int
	header http.Header
}

func (e statusError) Unwrap() error {
	switch e.code {
	case http.StatusUnauthorized, http.StatusForbidden:
		return ErrDenied
	case http.StatusNotFound:
		return ErrNotFound
	case http.StatusTooManyRequests:
		return ErrBusy
	}
	return nil
}

func (e statusError) Error() string {
	said := ""
	if text := e.header.Get("X-Error-Message"); text != "" {
		said = fmt.Sprintf(" (%.200q)", text) // a terminal shows it
	}
	switch {
	case e.errorCode() == "GatedRepo":
		return fmt.Sprintf("%v (%d): its owner gives access to those who ask for it: ask on the model's page, then set HF_TOKEN to a token of that account%s", ErrDenied, e.code, said)
	case e.code == http.StatusUnauthorized:
		return fmt.Sprintf("%v (401): there is no such repository, or it is not public; to read one that is not, set HF_TOKEN to a token of an account that may (https://huggingface.co/settings/tokens)%s", ErrDenied, said)
	case e.code == http.StatusForbidden:
		return fmt.Sprintf("%v (403): the account may not read this; HF_TOKEN names another%s", ErrDenied, said)
	case e.code == http.StatusNotFound:
		what := map[string]string{"RevisionNotFound": "such revision", "EntryNotFound": "such file"}[e.errorCode()]
		return fmt.Sprintf("%v (404): the hub has no %s%s", ErrNotFound, firstOf(what, "such repository"), said)
	case e.code == http.StatusTooManyRequests:
		when := ""
		if after, ok := retryAfter(e.header); ok {
			when = fmt.Sprintf(": the hub wants a pause of %v", after.Round(time.Second))
		}
		return fmt.Sprintf("%v (429)%s; with HF_TOKEN set it allows more%s", ErrBusy, when, said)
	}
	return fmt.Sprintf("the server answered %d %s%s", e.code, http.StatusText(e.code), said)
}

func (e statusError) errorCode() string { return e.header.Get("X-Error-Code") }
