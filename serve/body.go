package serve

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"os"
	"strings"
	"time"
	"unicode/utf8"
)

// read returns the body of a request, which is counted as memory until free is called. A
// client has to send some of it all the time, and all of it in some time.
func (s *Server) read(w http.ResponseWriter, r *http.Request) (body []byte, free func(), err error) {
	var claimed int64
	release := func() { s.bodies.free(claimed) }
	defer func() {
		if err != nil {
			release()
		}
	}()
	if r.ContentLength > s.o.MaxBody {
		return nil, nil, tooLarge(s.o.MaxBody)
	}
	slow, last := http.NewResponseController(w), time.Now().Add(10*s.o.Stall)
	const piece = 32 << 10
	for {
		if !s.bodies.claim(3 * piece) {
			s.metrics.refused.WithLabelValues("memory").Inc()
			return nil, nil, busy("other requests take all memory")
		}
		claimed += 3 * piece
		if cap(body)-len(body) < piece {
			body = append(make([]byte, 0, max(2*cap(body), piece)), body...)
		}
		deadline := time.Now().Add(s.o.Stall)
		if deadline.After(last) {
			deadline = last
		}
		_ = slow.SetReadDeadline(deadline) // not every reader has one
		n, err := io.ReadFull(r.Body, body[len(body):len(body)+piece])
		body = body[:len(body)+n]
		switch {
		case int64(len(body)) > s.o.MaxBody:
			return nil, nil, tooLarge(s.o.MaxBody)
		case errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) && r.ContentLength < 0 || int64(len(body)) == r.ContentLength:
			_ = slow.SetReadDeadline(time.Time{}) // but not before, or net/http would wait for the rest of the body
			return body, release, nil
		case errors.Is(err, os.ErrDeadlineExceeded):
			return nil, nil, refused(http.StatusRequestTimeout, "the request was sent too slowly")
		case err != nil:
			return nil, nil, refused(statusGone, "the request ended early")
		}
	}
}

func tooLarge(most int64) error {
	return refused(http.StatusRequestEntityTooLarge, "the request is larger than %d bytes", most)
}

// readJSON reads the body of a request into v. Fields that v does not have are left out,
// since clients send what other servers understand.
func (s *Server) readJSON(w http.ResponseWriter, r *http.Request, v any) (free func(), err error) {
	body, free, err := s.read(w, r)
	if err != nil {
		return nil, err
	}
	if err := decodeJSON(body, v); err != nil {
		free()
		return nil, err
	}
	return free, nil
}

func decodeJSON(body []byte, v any) error {
	if !utf8.Valid(body) {
		return bad("the request is not UTF-8")
	}
	err := unmarshal(body, v)
	var kind *json.UnmarshalTypeError
	var f *fault
	switch {
	case err == nil:
		return nil
	case errors.As(err, &f):
		return f
	case errors.As(err, &kind) && kind.Field != "":
		return bad("field %s is a %s, want %s", kind.Field, kind.Value, kindName(kind))
	case errors.As(err, &kind):
		return bad("the request is a JSON %s, want %s", kind.Value, kindName(kind))
	}
	return bad("the request is no JSON: %v", err)
}

// kindName is a type of Go's in words.
func kindName(e *json.UnmarshalTypeError) string {
	switch name := e.Type.Kind().String(); name {
	case "struct", "map", "ptr":
		return "an object"
	case "slice", "array":
		return "an array"
	case "string":
		return "a string"
	case "bool":
		return "true or false"
	default:
		return "a number, " + name
	}
}

// part is one of a form.
type part struct {
	name, file string // file is "" where it is no file
	data       []byte
}

// maxParts limits a form; no client sends more than a few.
const maxParts = 256

// readForm reads a multipart form. Parts are parts of the body, not copies.
func (s *Server) readForm(w http.ResponseWriter, r *http.Request) (parts []part, body []byte, free func(), err error) {
	kind, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || kind != "multipart/form-data" || params["boundary"] == "" {
		return nil, nil, nil, refused(http.StatusUnprocessableEntity, "the request is no multipart/form-data")
	}
	body, release, err := s.read(w, r)
	if err != nil {
		return nil, nil, nil, err
	}
	defer func() {
		if err != nil {
			release()
		}
	}()
	for form := multipart.NewReader(bytes.NewReader(body), params["boundary"]); ; {
		p, err := form.NextRawPart()
		if err == io.EOF { // after the last boundary
			return parts, body, release, nil
		}
		if err == nil && len(parts) == maxParts {
			return nil, nil, nil, bad("the form has more than %d parts", maxParts)
		}
		var data []byte
		if err == nil {
			data, err = io.ReadAll(p)
		}
		if err != nil {
			return nil, nil, nil, refused(http.StatusUnprocessableEntity, "the form is broken: %v", err)
		}
		parts = append(parts, part{p.FormName(), p.FileName(), data})
	}
}

// image returns the file that a string of JSON stands for: base64, alone or in a data: URL,
// or where that is allowed an address.
func (s *Server) image(r *http.Request, text string) ([]byte, error) {
	lower := strings.ToLower(text[:min(8, len(text))])
	switch {
	case strings.HasPrefix(lower, "http://"), strings.HasPrefix(lower, "https://"):
		if s.fetcher == nil {
			return nil, bad("the image is an address, and this server fetches none: send it as base64")
		}
		return s.fetcher.get(r.Context(), text)
	case strings.HasPrefix(lower, "data:"):
		head, data, ok := strings.Cut(text, ",")
		if !ok || !strings.HasSuffix(head, ";base64") {
			return nil, bad("the image is a data: URL without ;base64")
		}
		text = data
	}
	file, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		file, err = base64.RawStdEncoding.DecodeString(text)
	}
	if err != nil || len(file) == 0 {
		return nil, bad("the image is no base64")
	}
	return file, nil
}
