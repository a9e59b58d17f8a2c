package serve

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"
)

// Listening says how [Run] listens.
type Listening struct {
	// Certificate, where it is not nil, makes it HTTPS.
	Certificate *tls.Certificate
	// Drain is for how long requests are still taken after ctx has ended, while the server
	// says that it is not ready any more. Default: 1 s.
	Drain time.Duration
	// Finish is for how long requests that are under way may take then. Default: 1 min.
	Finish time.Duration
}

// Run answers requests that come to l until ctx ends. Then it stops without dropping one that
// it has accepted: probes say that the server is not ready, connections are closed after
// their next answer, and after Drain it waits for what is under way. An error says that the
// listener failed, or what was not done in time. It does not call [Server.Close].
func Run(ctx context.Context, s *Server, l net.Listener, o Listening) error {
	set(&o.Drain, time.Second)
	set(&o.Finish, time.Minute)
	server := &http.Server{
		Handler: s,
		// Counted from when a connection is made, which some clients do ahead of a request;
		// one that is closed then looks to them like a lost answer. Bodies and answers have
		// deadlines of their own.
		ReadHeaderTimeout: 10 * s.o.Stall,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
		ErrorLog:          slog.NewLogLogger(s.o.Log.Handler(), slog.LevelWarn),
	}
	if o.Certificate != nil {
		server.TLSConfig = &tls.Config{Certificates: []tls.Certificate{*o.Certificate}, MinVersion: tls.VersionTLS12}
	}
	failed := make(chan error, 1)
	go func() {
		if o.Certificate != nil {
			failed <- server.ServeTLS(l, "", "")
		} else {
			failed <- server.Serve(l)
		}
	}()
	select {
	case err := <-failed:
		return fmt.Errorf("serve: %w", err)
	case <-ctx.Done():
	}
	s.ending.Store(true)
	server.SetKeepAlivesEnabled(false)
	s.o.Log.Info("stopping", "requests", s.queue.used.Load())
	select {
	case err := <-failed:
		return fmt.Errorf("serve: %w", err)
	case <-time.After(o.Drain):
	}
	end, cancel := context.WithTimeout(context.WithoutCancel(ctx), o.Finish)
	defer cancel()
	if err := server.Shutdown(end); err != nil {
		return errors.Join(fmt.Errorf("serve: requests were still under way after %v: %w", o.Finish, err), server.Close())
	}
	return nil
}
