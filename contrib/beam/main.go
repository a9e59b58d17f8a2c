// Beam embeds the shards of a set with Apache Beam, as "goclip embed" does on one machine: shards go
// in, and the parts of goclip's folders of embeddings come out.
//
//	beam -shards list.txt -model model -out embeddings -texts yes        # Prism, in this process
//	beam -runner universal -endpoint host:port … -shards list.txt …      # any runner that speaks Beam's portable API
//
// README.md says how workers are started elsewhere, and what happens when one is lost. It is a module
// of its own, so that goclip does without Beam.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/apache/beam/sdks/v2/go/pkg/beam"
	"github.com/apache/beam/sdks/v2/go/pkg/beam/x/beamx"

	"github.com/goclip/goclip/embeddings"
)

func main() {
	log.SetFlags(0)
	var list string
	var o settings
	flag.StringVar(&list, "shards", "", "file with the names of the shards, one a line, as the workers see them")
	flag.StringVar(&o.Model, "model", "", "folder or file of a model")
	flag.StringVar(&o.Out, "out", "", "folder for the embeddings, which all workers see")
	flag.TextVar(&o.Format, "format", embeddings.ClipRetrieval, "form of the files: clip-retrieval, npy, npz, parquet or jsonl")
	flag.TextVar(&o.Texts, "texts", embeddings.TextsNever, "embeddings of captions, too: yes or no")
	flag.IntVar(&o.PartSize, "part-size", 10_000, "images of a part")
	flag.Parse()
	beam.Init() // a worker does not come back from here
	if err := run(context.Background(), list, o); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, list string, o settings) (err error) {
	if list == "" || o.Model == "" || o.Out == "" || o.Texts == embeddings.TextsAsFound {
		return errors.New("-shards, -model and -out are wanted, and -texts yes or no: workers must not each find out for themselves")
	}
	if o.Model, err = filepath.Abs(o.Model); err != nil {
		return err
	}
	if o.Out, err = filepath.Abs(o.Out); err != nil {
		return err
	}
	shards, err := readShards(list)
	if err != nil {
		return err
	}
	p, s := beam.NewPipelineWithRoot()
	// Without Reshuffle a runner would take all names as one bundle.
	each := beam.ParDo(s, &embedFn{Settings: o}, beam.Reshuffle(s, beam.CreateList(s, shards)))
	beam.ParDo0(s, count, beam.Combine(s, sum, each))
	began := time.Now()
	result, err := beamx.RunWithMetrics(ctx, p)
	if err != nil {
		return err
	}
	return say(result, time.Since(began).Seconds())
}

// readShards reads the names. Parts are called after them, so no two may give the same.
func readShards(name string) ([]string, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var shards []string
	stems := map[string]string{}
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		shard := strings.TrimSpace(lines.Text())
		if shard == "" {
			continue
		}
		stem := embeddings.ShardName(filepath.Clean(shard))
		if other, twice := stems[stem]; twice {
			return nil, fmt.Errorf("%s: %s and %s would both give part %s", name, other, shard, stem)
		}
		stems[stem] = shard
		shards = append(shards, shard)
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if len(shards) == 0 {
		return nil, fmt.Errorf("%s names no shard", name)
	}
	return shards, nil
}

// say prints what the workers counted as one line of JSON.
func say(result beam.PipelineResult, seconds float64) error {
	line := map[string]any{"seconds": seconds}
	for _, c := range result.Metrics().AllMetrics().Counters() {
		if c.Key.Namespace == namespace {
			line[c.Key.Name] = c.Result()
		}
	}
	if n, ok := line["embedded"].(int64); ok {
		line["pictures_per_second"] = float64(n) / max(seconds, 1e-9)
	}
	return json.NewEncoder(os.Stdout).Encode(line)
}
