// Package serve answers over HTTP what other programs ask of CLIP models, each in its own
// dialect, so that they need no encoder of their own: Immich, Weaviate's multi2vec-clip,
// clients of OpenAI's embeddings, infinity's and Jina's, photofield, clip-retrieval.
//
//	GET  /ping                          Immich: health
//	POST /predict                       Immich: embeddings of a text or an image
//	GET  /.well-known/ready, live, meta Weaviate
//	POST /vectorize                     Weaviate: embeddings of texts and images
//	POST /v1/embeddings, /embeddings    OpenAI, infinity, Jina, vLLM
//	GET  /v1/models, /models            OpenAI, infinity
//	POST /image-embeddings, /text-embeddings   photofield
//	POST /knn-service, /metadata        clip-retrieval, over an index
//	POST /api/classify, /api/search     goclip's own; search answers GET, too
//	GET  /api/thumb, /api/photo, /api/duplicates   of the index's photographs
//	POST /api/explain                   what in one of them fits; GET, too
//	GET  /health/live, /health/ready, /metrics, /openapi.json
//
// Requests of many clients share passes of the towers. An embedding is the same to the last
// bit whatever it shared its pass with: what a client gets is what [encoder.Model] gives.
//
// What clients send is not trusted: requests, images and texts have limits ([Options]), work
// for a client that went away is dropped, and an error names what is wrong in the shape that
// the client reads. Neither captions nor images are logged.
package serve

import (
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/goclip/goclip/index"
	"github.com/goclip/goclip/photos"
	"github.com/goclip/goclip/vision"
)

// Options say what is served. Models is required; every other zero value means its default.
type Options struct {
	// Models by name, the first of which answers where none is named.
	Models []Model
	// ModelBytes is what models may take in memory together; none that is in use is
	// unloaded for another. Default: no limit.
	ModelBytes int64
	// Idle is after how long an unused model is unloaded. Default: never.
	Idle time.Duration

	// Index, where it is not nil, is what searches look in, with embeddings of the first
	// model; see [Server.Show]. IndexNames are what clip-retrieval's clients may call it;
	// without, any name is.
	Index      *index.Index
	IndexNames []string
	// Page, where it is not nil, answers a browser's GET / and GET /page/….
	Page http.Handler
	// Thumbs, where they are not nil, are the thumbnails of the index's photographs.
	Thumbs *photos.Thumbs
	// Folder, where it is not "", is that of the index's photographs, whose files may be
	// asked for by their keys. What is not in the index is not given, nor what a link in the
	// folder leads to outside of it.
	Folder string

	// Upstream, where it is not nil, is a machine-learning server of Immich's, to which its
	// tasks go that are not CLIP's: faces, text in images.
	Upstream *url.URL
	// Keys, where there are any, are the API keys of which a request needs one, as a bearer
	// token. Probes need none.
	Keys []string
	// Fetch allows images to be named by http and https addresses. Those that lead to this
	// machine or into a private network are never asked.
	Fetch bool

	// Batch is the most images or texts of a pass. Default: 16.
	Batch int
	// Wait is for how long the first of a pass waits for others. Default: 3 ms.
	Wait time.Duration
	// Queue is how many images and texts may be under way at once; a request that finds no
	// room is answered 429. Default: 256.
	Queue int
	// MaxItems, MaxText and MaxBody limit a request: its images and texts, the bytes of a
	// text, all its bytes. Default: 2048, 64 KiB, 64 MiB.
	MaxItems, MaxText int
	MaxBody           int64
	// BodyBytes is what all requests that are under way may hold in memory, a request
	// counting three times over, since it is decoded. Default: 1 GiB.
	BodyBytes int64
	// Stall is for how long a client may send nothing of its request's body, or take nothing
	// of its answer. The request's head, and the whole of it, may take ten times as long.
	// Default: 20 s.
	Stall time.Duration
	// Decode limits images; its Draft is not read. Default: 64 MiB and 134,217,728 pixels.
	Decode vision.DecodeOptions

	// Log gets a line for each request. Default: none.
	Log *slog.Logger
}

func (o *Options) defaults() {
	set(&o.Batch, 16)
	set(&o.Wait, 3*time.Millisecond)
	set(&o.Queue, 256)
	set(&o.MaxItems, 2048)
	set(&o.MaxText, 64<<10)
	set(&o.MaxBody, 64<<20)
	set(&o.BodyBytes, 1<<30)
	set(&o.Stall, 20*time.Second)
	set(&o.Decode.MaxPixels, 128<<20)
	set(&o.Decode.MaxBytes, 64<<20)
	o.Queue = max(o.Queue, 2*o.Batch) // one request at least
	if o.IndexNames == nil {
		o.IndexNames = []string{}
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
}

// set gives a setting its default.
func set[T int | int64 | time.Duration](v *T, otherwise T) {
	if *v <= 0 {
		*v = otherwise
	}
}

// Server is an [http.Handler] of models. [Run] lets it listen; a program that has a server
// of its own takes over its duties towards slow clients and those that are being served
// when it stops.
type Server struct {
	o       Options
	models  *registry
	metrics *metrics
	queue   budget        // images and texts
	bodies  budget        // bytes
	cores   chan struct{} // held while an image is decoded
	keys    keys
	fetcher *fetcher
	mux     *http.ServeMux
	ending  atomic.Bool

	showing sync.Mutex
	photos  *gallery // nil without an index

	maps  budget        // that are made or wait to be
	drawn chan struct{} // held while one is made
}

// New returns a server, which loads no model yet.
func New(o Options) (*Server, error) {
	o.defaults()
	models, err := newRegistry(&o)
	if err != nil {
		return nil, err
	}
	s := &Server{
		o: o, models: models, keys: newKeys(o.Keys),
		queue: budget{most: int64(o.Queue)}, bodies: budget{most: o.BodyBytes},
		cores: make(chan struct{}, runtime.GOMAXPROCS(0)),
		maps:  budget{most: maxMaps}, drawn: make(chan struct{}, 1),
	}
	s.metrics = newMetrics(s)
	s.models.open, s.models.told = s.open, s.loadedOrNot
	if o.Fetch {
		s.fetcher = newFetcher(o.Decode.MaxBytes, public)
	}
	if o.Index != nil {
		s.photos = newGallery(o.Index, o.Thumbs)
	}
	s.mux = http.NewServeMux()
	routes := s.routes()
	for _, r := range append(routes, otherwise(routes)...) {
		s.mux.Handle(r.pattern, s.answer(r))
	}
	return s, nil
}

// loadedOrNot tells of a model that was loaded or unloaded.
func (s *Server) loadedOrNot(e *entry, bytes int64, took time.Duration, err error) {
	switch {
	case err != nil:
		s.o.Log.Error("model not loaded", "model", e.Name, "seconds", took.Seconds(), "error", errors.Join(err, errors.Unwrap(err)))
	case bytes == 0:
		s.o.Log.Info("model unloaded", "model", e.Name)
	default:
		s.o.Log.Info("model loaded", "model", e.Name, "seconds", took.Seconds(), "bytes", bytes)
	}
	s.metrics.memory.WithLabelValues(e.Name).Set(float64(bytes))
}

// ServeHTTP answers a request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.mux.ServeHTTP(w, r) }

// Close unloads the models. No request may be under way or come.
func (s *Server) Close() error {
	s.ending.Store(true)
	return s.models.close()
}

// budget is how much of something may be under way at once.
type budget struct {
	most int64
	used atomic.Int64
}

// claim takes n, or nothing where there is not so much.
func (b *budget) claim(n int64) bool {
	if b.used.Add(n) > b.most {
		b.used.Add(-n)
		return false
	}
	return true
}

func (b *budget) free(n int64) { b.used.Add(-n) }
