package serve

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/goclip/goclip/encoder"
)

// fault is an error that a client is told, in the words of its dialect.
type fault struct {
	status  int
	message string
	retry   time.Duration // when to come again; 0 for never
	cause   error         // for the log, where it is the server's own
}

func (f *fault) Error() string { return f.message }
func (f *fault) Unwrap() error { return f.cause }

// bad is the fault of a request that is wrong in itself.
func bad(format string, args ...any) *fault {
	return &fault{status: http.StatusBadRequest, message: fmt.Sprintf(format, args...)}
}

func refused(status int, format string, args ...any) *fault {
	return &fault{status: status, message: fmt.Sprintf(format, args...)}
}

// busy is the fault of a request that came when there was no room for it.
func busy(what string) *fault {
	return &fault{status: http.StatusTooManyRequests, message: "the server is busy: " + what, retry: time.Second}
}

// statusGone is what a log says of a client that went away, as nginx does.
const statusGone = 499

// faultOf is what a client is told of an error.
func faultOf(err error) *fault {
	var f *fault
	switch {
	case errors.As(err, &f):
		return f
	case errors.Is(err, context.Canceled):
		return refused(statusGone, "the client went away")
	case errors.Is(err, encoder.ErrClosed):
		return &fault{status: http.StatusServiceUnavailable, message: "the server is stopping", retry: time.Second}
	}
	return &fault{status: http.StatusInternalServerError, message: "internal error", cause: err}
}
