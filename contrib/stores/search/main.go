// Search keeps the embeddings of images in a database, for sets that several
// machines fill and search, and finds images there by words.
//
//	go run ./examples/train                    # makes goclip-toy, in the root of goclip
//	cd contrib/stores
//	go run ./search -model ../../goclip-toy -db postgres://me@localhost/images "a red circle"
//	go run ./search -model ../../goclip-toy -db chroma+http://localhost:8000 -data photos "a dog on a beach"
//
// What it has filled, "goclip search --store" searches too.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log"
	"os"
	"os/signal"

	"github.com/goclip/goclip/contrib/stores"
	"github.com/goclip/goclip/contrib/stores/all"
	"github.com/goclip/goclip/encoder"
)

type options struct {
	model, data, db string
	k               int
	upright         bool
	queries         []string
}

func main() {
	log.SetFlags(0)
	o, err := parse(os.Args[1:])
	if errors.Is(err, flag.ErrHelp) {
		return
	}
	if err != nil {
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, o); err != nil {
		log.Fatal(err)
	}
}

// parse has told of its errors when it returns them.
func parse(args []string) (o options, err error) {
	set := flag.NewFlagSet("search", flag.ContinueOnError)
	set.StringVar(&o.model, "model", "goclip-toy", "checkpoint, as examples/train writes it")
	set.StringVar(&o.data, "data", "", "images to search in: a folder, a table or a tar; drawn ones where empty")
	set.StringVar(&o.db, "db", "", "database: postgres://…, chroma+http://…, weaviate+http://… or opensearch+http://…; for postgres:// PGHOST, PGUSER and the like fill in the rest")
	set.IntVar(&o.k, "k", 6, "results per query")
	set.BoolVar(&o.upright, "upright", true, "turn photographs as their files say that they should be seen; the embeddings of both ways are in tables of their own")
	err = set.Parse(args)
	if o.queries = set.Args(); len(o.queries) == 0 {
		o.queries = []string{"a red circle", "a small yellow star"}
	}
	return o, err
}

func run(ctx context.Context, o options) (err error) {
	model, err := encoder.Load(o.model, &encoder.Options{Upright: &o.upright})
	if err != nil {
		return err
	}
	defer model.Close()
	images, err := openSet(o.data)
	if err != nil {
		return err
	}
	defer images.close()
	s, err := all.Open(ctx, o.db, stores.Of(model, true))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	if err := fill(ctx, s, model, images); err != nil {
		return err
	}
	words, err := model.EncodeTexts(ctx, o.queries...)
	if err != nil {
		return err
	}
	for i, query := range o.queries {
		hits, err := s.Query(ctx, words.Row(i), o.k, stores.Filter{})
		if err != nil {
			return err
		}
		fmt.Println(query)
		for _, h := range hits {
			fmt.Printf("  %.3f  %s  %s\n", h.Score, h.Key, h.Meta)
		}
	}
	return nil
}

// fill embeds what is new in the set or has changed, and deletes what is gone.
func fill(ctx context.Context, s *stores.Store, model *encoder.Model, images *set) error {
	known := map[string]string{}
	err := s.Each(ctx, func(e stores.Entry) error {
		known[e.Key] = e.Meta
		return nil
	})
	if err != nil {
		return err
	}
	var todo []string
	for _, e := range images.entries() {
		if meta, ok := known[e.Key]; !ok || meta != e.Meta {
			todo = append(todo, e.Key)
		}
		delete(known, e.Key)
	}
	var gone []string
	for key := range known {
		gone = append(gone, key)
	}
	if err := s.Delete(ctx, gone...); err != nil {
		return err
	}
	return images.embed(ctx, model, todo, func(entries []stores.Entry, e *encoder.Embeddings) error {
		return s.Upsert(ctx, entries, e)
	})
}
