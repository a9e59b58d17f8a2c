package serve

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	"github.com/goclip/goclip/encoder"
	"github.com/goclip/goclip/internal/guard"
)

// Model is a model that a server has under a name. It is loaded when it is first asked for.
type Model struct {
	// Name is what clients call it. Case does not count, and open_clip's and Immich's
	// spellings of one model, ViT-B-32/laion2b_s34b_b79k and ViT-B-32__laion2b-s34b-b79k,
	// are one name.
	Name string
	// Aliases are further names of it.
	Aliases []string
	// Bytes is what it will take in memory, as far as that is known before it is loaded: the
	// size of its files. Afterwards its weights are counted.
	Bytes int64
	// Load returns the model, which is the server's to close. It is called again after the
	// model was unloaded. Its encoder.Options.BatchSize should be Options.Batch.
	Load func(ctx context.Context) (*encoder.Model, error)
}

// plain is what counts of a model's name.
func plain(name string) string {
	return strings.ReplaceAll(strings.ReplaceAll(strings.ToLower(name), "__", "/"), "_", "-")
}

// again is after how long a model that could not be loaded is tried again.
const again = 10 * time.Second

// registry has the models of a server, in memory or not.
type registry struct {
	open  func(*encoder.Model, *entry) *loaded
	told  func(e *entry, bytes int64, took time.Duration, err error) // of loading; of unloading with 0 bytes
	limit int64
	idle  time.Duration

	turn chan struct{} // held while a model is loaded, one at a time

	mu      sync.Mutex
	entries []*entry
	byName  map[string]*entry
	closed  bool
	loading sync.WaitGroup
	ctx     context.Context // of loading
	cancel  func()
}

// entry is one model of a registry.
type entry struct {
	Model
	*loaded        // nil where it is not in memory
	bytes    int64 // that it takes, as far as is known
	users    int   // requests that use it
	last     time.Time
	timer    *time.Timer
	attempt  *attempt // to load it, that is under way
	failed   error    // of the last attempt
	failedAt time.Time
}

type attempt struct {
	done chan struct{}
	err  error
}

func newRegistry(o *Options) (*registry, error) {
	r := &registry{limit: o.ModelBytes, idle: o.Idle, turn: make(chan struct{}, 1), byName: map[string]*entry{}}
	r.ctx, r.cancel = context.WithCancel(context.Background())
	if len(o.Models) == 0 {
		return nil, errors.New("serve: there is no model, want at least one")
	}
	for i, m := range o.Models {
		if m.Name == "" || m.Load == nil {
			return nil, fmt.Errorf("serve: model %d has no name or no Load", i)
		}
		e := &entry{Model: m, bytes: m.Bytes}
		r.entries = append(r.entries, e)
		for _, name := range append([]string{m.Name}, m.Aliases...) {
			if other := r.byName[plain(name)]; other != nil && other != e {
				return nil, fmt.Errorf("serve: the models %q and %q have one name, %q", other.Name, m.Name, name)
			}
			r.byName[plain(name)] = e
		}
	}
	return r, nil
}

// find returns the model of a name, the first one for none.
func (r *registry) find(name string) (*entry, error) {
	if name == "" {
		return r.entries[0], nil
	}
	if e := r.byName[plain(name)]; e != nil {
		return e, nil
	}
	var names []string
	for _, e := range r.entries {
		names = append(names, e.Name)
	}
	return nil, refused(http.StatusNotFound, "there is no model %.200q here, only %s", name, strings.Join(names, ", "))
}

// use returns a model in memory, which stays there until release is called.
func (r *registry) use(ctx context.Context, name string) (_ *loaded, release func(), err error) {
	e, err := r.find(name)
	if err != nil {
		return nil, nil, err
	}
	for {
		r.mu.Lock()
		switch {
		case r.closed:
			r.mu.Unlock()
			return nil, nil, encoder.ErrClosed
		case e.loaded != nil:
			e.users++
			l := e.loaded
			r.mu.Unlock()
			return l, func() { r.release(e) }, nil
		case e.failed != nil && time.Since(e.failedAt) < again:
			err := e.failed
			r.mu.Unlock()
			return nil, nil, err
		case e.attempt == nil:
			e.attempt = &attempt{done: make(chan struct{})}
			r.loading.Add(1)
			go r.load(e, e.attempt)
		}
		a := e.attempt
		r.mu.Unlock()
		select {
		case <-a.done:
			if a.err != nil {
				return nil, nil, a.err
			}
		case <-ctx.Done():
			return nil, nil, ctx.Err()
		}
	}
}

func (r *registry) release(e *entry) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if e.users--; e.users > 0 {
		return
	}
	e.last = time.Now()
	if r.idle > 0 && !r.closed {
		if e.timer == nil {
			e.timer = time.AfterFunc(r.idle, func() { r.expire(e) })
		} else {
			e.timer.Reset(r.idle)
		}
	}
}

// expire unloads a model that nobody has used for long.
func (r *registry) expire(e *entry) {
	r.mu.Lock()
	if e.users > 0 || e.loaded == nil || time.Since(e.last) < r.idle || r.closed {
		r.mu.Unlock()
		return
	}
	l := r.take(e)
	r.mu.Unlock()
	r.drop(e, l)
}

// take marks a model as unloaded.
func (r *registry) take(e *entry) *loaded {
	l := e.loaded
	e.loaded = nil
	return l
}

// drop frees the memory of a model that was taken.
func (r *registry) drop(e *entry, l *loaded) {
	l.close()
	debug.FreeOSMemory()
	r.told(e, 0, 0, nil)
}

// load brings a model into memory.
func (r *registry) load(e *entry, a *attempt) {
	defer r.loading.Done()
	began := time.Now()
	l, bytes, err := r.bring(e)
	r.mu.Lock()
	if err == nil {
		e.loaded, e.bytes, e.last, e.failed = l, bytes, time.Now(), nil
	} else if f := (*fault)(nil); !errors.As(err, &f) { // the model's own fault
		err = &fault{status: http.StatusInternalServerError, message: fmt.Sprintf("the model %s cannot be loaded", e.Name), cause: err}
		e.failed, e.failedAt = err, time.Now()
	}
	e.attempt, a.err = nil, err
	r.mu.Unlock()
	r.told(e, bytes, time.Since(began), err)
	close(a.done)
}

func (r *registry) bring(e *entry) (*loaded, int64, error) {
	select {
	case r.turn <- struct{}{}:
		defer func() { <-r.turn }()
	case <-r.ctx.Done():
		return nil, 0, encoder.ErrClosed
	}
	if err := r.room(e, e.bytes); err != nil {
		return nil, 0, err
	}
	var m *encoder.Model
	err := guard.Call(func() (err error) {
		m, err = e.Load(r.ctx)
		return err
	})
	if err != nil {
		return nil, 0, err
	}
	bytes := weights(m)
	if err := r.room(e, bytes); err != nil {
		return nil, 0, errors.Join(err, m.Close())
	}
	return r.open(m, e), bytes, nil
}

// weights is the memory of a model's weights, which a first pass makes packed copies of.
func weights(m *encoder.Model) int64 {
	var n int64
	for _, p := range m.Params() {
		n += 4 * int64(p.Size())
	}
	return 2 * n
}

// room unloads what nobody uses, the longest unused first, until there is room.
func (r *registry) room(e *entry, bytes int64) error {
	if r.limit <= 0 {
		return nil
	}
	if bytes > r.limit {
		return refused(http.StatusInsufficientStorage, "the model %s takes %d bytes of memory, but all models together may take %d", e.Name, bytes, r.limit)
	}
	for {
		r.mu.Lock()
		sum := bytes
		var oldest *entry
		for _, o := range r.entries {
			if o == e || o.loaded == nil {
				continue
			}
			sum += o.bytes
			if o.users == 0 && (oldest == nil || o.last.Before(oldest.last)) {
				oldest = o
			}
		}
		if sum <= r.limit {
			r.mu.Unlock()
			return nil
		}
		if oldest == nil {
			r.mu.Unlock()
			return &fault{status: http.StatusServiceUnavailable, message: fmt.Sprintf("there is no memory for the model %s while others are in use", e.Name), retry: 2 * time.Second}
		}
		l := r.take(oldest)
		r.mu.Unlock()
		r.drop(oldest, l)
	}
}

// close unloads everything. Nothing is in use any more.
func (r *registry) close() error {
	r.mu.Lock()
	r.closed = true
	r.mu.Unlock()
	r.cancel()
	r.loading.Wait()
	var errs []error
	for _, e := range r.entries {
		r.mu.Lock()
		l := r.take(e)
		if e.timer != nil {
			e.timer.Stop()
		}
		r.mu.Unlock()
		if l != nil {
			errs = append(errs, l.close())
		}
	}
	return errors.Join(errs...)
}

// Preload loads the first model, or says why it cannot be.
func (s *Server) Preload(ctx context.Context) error {
	_, release, err := s.models.use(ctx, "")
	if err != nil {
		return fmt.Errorf("serve: %w", errors.Join(err, errors.Unwrap(err)))
	}
	release()
	return nil
}
