package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"

	"github.com/apache/beam/sdks/v2/go/pkg/beam"
	"github.com/apache/beam/sdks/v2/go/pkg/beam/log"
	"github.com/apache/beam/sdks/v2/go/pkg/beam/register"

	"github.com/goclip/goclip/convert"
	"github.com/goclip/goclip/dataset"
	"github.com/goclip/goclip/dataset/arrow"
	"github.com/goclip/goclip/dataset/parquet"
	"github.com/goclip/goclip/embeddings"
	"github.com/goclip/goclip/encoder"
)

// Beam finds functions by their types' names, in the process that builds a pipeline and in those
// that run it.
func init() {
	register.DoFn2x2[context.Context, string, tally, error](&embedFn{})
	register.Function2x1(sum)
	register.Function2x0(count)
}

// settings are those of goclip embed.
type settings struct {
	Model, Out string
	Format     embeddings.Format
	PartSize   int
	Texts      embeddings.Texts
}

// embedFn embeds shards. Its exported field travels to the workers.
type embedFn struct {
	Settings settings
}

// tally is what became of shards.
type tally struct {
	Shards, Parts, Skipped, Pictures, Failures, Embedded int64
}

func sum(a, b tally) tally {
	return tally{
		a.Shards + b.Shards, a.Parts + b.Parts, a.Skipped + b.Skipped,
		a.Pictures + b.Pictures, a.Failures + b.Failures, a.Embedded + b.Embedded,
	}
}

const namespace = "goclip"

// count hands the sum over all shards to the process that waits for the pipeline. Counters in embedFn would
// not do: of two bundles that end at once, Prism 2.77.0 may forget one's (its metricsStore keeps one
// payload a counter until it learns the counter's name), and a bundle that is tried again would count twice.
func count(ctx context.Context, t tally) {
	for name, n := range map[string]int64{"shards": t.Shards, "parts": t.Parts, "skipped_parts": t.Skipped,
		"pictures": t.Pictures, "failures": t.Failures, "embedded": t.Embedded} {
		beam.NewCounter(namespace, name).Inc(ctx, n)
	}
}

// worker is what all instances of the function share in a process: a runner makes one for each bundle
// that it runs at once, and each would load a model of its own. One shard at a time bounds memory, and
// a pass takes all cores anyway.
type worker struct {
	sync.Mutex
	of     settings // what the writer was made for
	model  *encoder.Model
	writer *embeddings.Writer
}

// here is this process's worker.
var here worker

// Setup loads the model, where this process has not yet.
func (f *embedFn) Setup(context.Context) error {
	here.Lock()
	defer here.Unlock()
	return here.load(f.Settings)
}

func (w *worker) load(f settings) error {
	if w.writer != nil && w.of == f {
		return nil
	}
	if w.writer != nil {
		w.writer = nil
		if err := w.model.Close(); err != nil {
			return err
		}
	}
	upright := true // as goclip embed does
	m, err := encoder.Load(f.Model, &encoder.Options{Upright: &upright})
	if err != nil {
		return err
	}
	o := embeddings.Options{Format: f.Format, PartSize: f.PartSize, Texts: f.Texts}
	if f.Format == embeddings.ClipRetrieval {
		o.Precision = encoder.Float16
	}
	writer, err := embeddings.New(f.Out, m, o)
	if err != nil {
		return errors.Join(err, m.Close())
	}
	w.of, w.model, w.writer = f, m, writer
	return nil
}

// ProcessElement makes the parts of a shard that are not whole. A bundle that is tried again, here or
// elsewhere, writes the same bytes.
func (f *embedFn) ProcessElement(ctx context.Context, shard string) (tally, error) {
	r, err := here.embed(ctx, shard)
	if err != nil {
		return tally{}, fmt.Errorf("shard %s: %w", shard, err)
	}
	log.Infof(ctx, "%s: %d parts, of which %d were whole, %d pictures, %d failures", shard, r.Parts, r.Skipped, r.Pictures, r.Failures)
	return tally{1, int64(r.Parts), int64(r.Skipped), int64(r.Pictures), int64(r.Failures), int64(r.Embedded)}, nil
}

func (w *worker) embed(ctx context.Context, shard string) (report embeddings.Report, err error) {
	w.Lock()
	defer w.Unlock()
	set, err := dataset.Open(shard, &dataset.Options{Formats: []dataset.Format{parquet.Format{}, arrow.Format{}}, Converter: convert.New(ctx, nil)})
	if err != nil {
		return report, err
	}
	defer func() { err = errors.Join(err, set.Close()) }()
	full, err := filepath.Abs(shard)
	if err != nil {
		return report, err
	}
	return w.writer.Embed(ctx, embeddings.ShardName(full), shard, set, nil)
}
