package hub

import (
	"context"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// target is a file that is downloaded.
type target struct {
	url  string
	path string // of the file when it is whole; before that .incomplete is added
	size int64  // -1: the server says it
	sum  string // how its hash begins: 40 digits are git's SHA-1, others SHA-256; empty: not known
}

func (t target) hash() hash.Hash {
	if len(t.sum) != 40 {
		return sha256.New()
	}
	h := sha1.New()
	fmt.Fprintf(h, "blob %d\x00", t.size) // git hashes this before a file
	return h
}

// download fetches a file and gives it its name once its size and hash are right. What a
// call before this one left is gone on with; where that turns out to be wrong, the file is
// fetched anew, once.
func (c *caller) download(ctx context.Context, t target) error {
	for {
		resumed, err := c.complete(ctx, t)
		if err == nil {
			return os.Rename(t.path+".incomplete", t.path)
		}
		if !errors.Is(err, ErrCorrupt) {
			return err
		}
		if gone := os.Remove(t.path + ".incomplete"); gone != nil {
			return errors.Join(err, gone)
		}
		if !resumed {
			return err
		}
	}
}

// part is a file on its way.
type part struct {
	*caller
	target
	f   *os.File
	sum hash.Hash
	n   int64 // bytes that are there
}

// complete makes path.incomplete whole and checks it. It reports whether some of it was
// there before.
func (c *caller) complete(ctx context.Context, t target) (resumed bool, err error) {
	f, err := os.OpenFile(t.path+".incomplete", os.O_RDWR|os.O_CREATE, 0o666)
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	p := &part{c, t, f, t.hash(), 0}
	if resumed, err = p.resume(ctx); err != nil {
		return resumed, err
	}
	for try := 1; p.n != p.size; try++ {
		before := p.n
		err := p.more(ctx)
		if err == nil {
			break
		}
		var ended cut
		if !errors.As(err, &ended) || ctx.Err() != nil {
			return resumed, err
		}
		if p.n-before >= 1<<20 {
			try = 1 // a bad line still gets there
		}
		if try == tries {
			return resumed, fmt.Errorf("%w; what is there by now (%d bytes) is kept, and the next call goes on with it", err, p.n)
		}
		wait, _ := p.patience(ended.error, try)
		if err := p.wait(ctx, wait, err); err != nil {
			return resumed, err
		}
	}
	if err := f.Sync(); err != nil {
		return resumed, p.full(err)
	}
	if got := hex.EncodeToString(p.sum.Sum(nil)); !strings.HasPrefix(got, t.sum) {
		return resumed, fmt.Errorf("%w: its hash is %s, want %s; it was thrown away", ErrCorrupt, got, t.sum)
	}
	return resumed, nil
}

// resume takes what is there.
func (p *part) resume(ctx context.Context) (bool, error) {
	info, err := p.f.Stat()
	if err != nil || info.Size() == 0 {
		return false, err
	}
	if !info.Mode().IsRegular() {
		return false, fmt.Errorf("%s is not a regular file", p.f.Name())
	}
	if p.size >= 0 && info.Size() > p.size {
		return false, p.restart()
	}
	buffer := make([]byte, 1<<20)
	for {
		n, err := p.f.Read(buffer)
		p.sum.Write(buffer[:n])
		p.n += int64(n)
		p.state.Done += int64(n)
		if err == io.EOF {
			return p.n > 0, nil
		}
		if err != nil {
			return true, err
		}
		if ctx.Err() != nil {
			return true, ctx.Err()
		}
	}
}

// restart throws away what is there.
func (p *part) restart() error {
	p.state.Done -= p.n
	p.n, p.sum = 0, p.hash()
	_, err := p.f.Seek(0, io.SeekStart)
	return errors.Join(err, p.f.Truncate(0))
}

// cut is a body that ended too early.
type cut struct{ error }

func (c cut) Unwrap() error { return c.error }

// more fetches what is missing.
func (p *part) more(ctx context.Context) error {
	header := http.Header{}
	if p.n > 0 {
		header.Set("Range", fmt.Sprintf("bytes=%d-", p.n))
	}
	answer, err := p.do(ctx, http.MethodGet, p.url, header, false)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	switch from, total, ok := contentRange(answer.Header.Get("Content-Range")); {
	case answer.StatusCode == http.StatusPartialContent && ok && from == p.n && (p.size < 0 || total == p.size):
		p.size = total
	case answer.StatusCode == http.StatusOK:
		if err := p.restart(); err != nil { // the server knows no ranges
			return err
		}
		if p.size < 0 && answer.ContentLength > 0 {
			p.size = answer.ContentLength
		}
		if p.size >= 0 && answer.ContentLength >= 0 && answer.ContentLength != p.size {
			return fmt.Errorf("%w: the server sends %d bytes, want %d", ErrCorrupt, answer.ContentLength, p.size)
		}
	default:
		if err := p.restart(); err != nil {
			return err
		}
		return cut{fmt.Errorf("the server answered %d to a request for the bytes from %d on", answer.StatusCode, p.n)}
	}
	if p.size > p.maxBytes() {
		return fmt.Errorf("%d bytes, want at most %d (Client.MaxBytes)", p.size, p.maxBytes())
	}
	return p.copy(answer.Body)
}

// contentRange reads "bytes 5-9/10".
func contentRange(s string) (from, total int64, ok bool) {
	s, ok = strings.CutPrefix(s, "bytes ")
	span, all, ok2 := strings.Cut(s, "/")
	first, _, ok3 := strings.Cut(span, "-")
	from, err1 := strconv.ParseInt(first, 10, 64)
	total, err2 := strconv.ParseInt(all, 10, 64)
	return from, total, ok && ok2 && ok3 && err1 == nil && err2 == nil && 0 <= from && from <= total
}

// copy writes a body to the file.
func (p *part) copy(body io.Reader) error {
	limit := p.size
	if limit < 0 {
		limit = p.maxBytes()
	}
	buffer := make([]byte, 256<<10)
	for {
		n, err := body.Read(buffer)
		if int64(n) > limit-p.n {
			return fmt.Errorf("%w: the server sent more than %d bytes", ErrCorrupt, limit)
		}
		if err := p.write(buffer[:n]); err != nil {
			return p.full(err)
		}
		switch {
		case err == io.EOF && (p.size < 0 || p.n == p.size):
			return nil
		case err == io.EOF || errors.Is(err, io.ErrUnexpectedEOF):
			return cut{fmt.Errorf("the connection ended after %d of %d bytes", p.n, p.size)}
		case err != nil:
			return cut{err}
		}
	}
}

func (p *part) write(b []byte) error {
	if p.faults.write != nil {
		if err := p.faults.write(p.n, b); err != nil {
			return err
		}
	}
	n, err := p.f.Write(b)
	p.sum.Write(b[:n])
	p.n += int64(n)
	p.state.Done += int64(n)
	p.state.Fetched += int64(n)
	if time.Since(p.told) >= 100*time.Millisecond {
		p.tell("")
	}
	return err
}

// full says what is missing where a disk is full.
func (p *part) full(err error) error {
	if !diskFull(err) {
		return err
	}
	more := ""
	if p.size > p.n {
		more = ", " + bytesOf(p.size-p.n) + " more are needed"
	}
	return fmt.Errorf("the disk of %s is full%s; what is there is kept, and the next call goes on with it: %w", filepath.Dir(p.path), more, err)
}

// bytesOf is a number of bytes for people.
func bytesOf(n int64) string {
	switch {
	case n >= 1e9:
		return fmt.Sprintf("%.1f GB", float64(n)/1e9)
	case n >= 1e6:
		return fmt.Sprintf("%.1f MB", float64(n)/1e6)
	}
	return fmt.Sprintf("%d bytes", n)
}

// tell reports progress, and why nothing moves where it does not.
func (c *caller) tell(waiting string) {
	if c.Progress != nil {
		c.told = time.Now()
		state := c.state
		state.Waiting = waiting
		c.Progress(state)
	}
}
