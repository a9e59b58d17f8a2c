// Search finds images by words or by an image: it embeds a set once, keeps
// the embeddings in a file, and ranks them for each query.
//
//	go run ./examples/train                                   # makes goclip-toy
//	go run ./examples/search "a red circle" "a large blue star on a dark ground"
//	go run ./examples/search -data photos -index photos.index "a dog on a beach"
//	go run ./examples/search -data photos -index photos.index -like dog.jpg
//
// With -index the next run embeds only images that are new or have changed, and
// goes on where an interrupted one stopped.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"log"
	"os"
	"os/signal"
	"strings"

	"github.com/goclip/goclip/encoder"
	"github.com/goclip/goclip/examples/internal/images"
	"github.com/goclip/goclip/examples/internal/sheet"
	"github.com/goclip/goclip/index"
	"github.com/goclip/goclip/vision"
)

type options struct {
	model, data, index, like, only, out string
	k                                   int
	queries                             []string
}

func main() {
	log.SetFlags(0)
	var o options
	flag.StringVar(&o.model, "model", "goclip-toy", "checkpoint, as examples/train writes it")
	flag.StringVar(&o.data, "data", "", "images to search in: a folder, a table or a tar; drawn ones where empty")
	flag.StringVar(&o.index, "index", "", "file that keeps the embeddings; none where empty")
	flag.StringVar(&o.like, "like", "", "image to find others like")
	flag.StringVar(&o.only, "only", "", "find only images whose key contains this")
	flag.IntVar(&o.k, "k", 6, "results per query")
	flag.StringVar(&o.out, "out", "goclip-search.png", "sheet to draw")
	flag.Parse()
	o.queries = flag.Args()
	if len(o.queries) == 0 && o.like == "" {
		o.queries = []string{"a red circle", "a small yellow star", "a blue square on a dark ground", "a large green heart at the top left"}
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, o); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, o options) error {
	if o.k < 1 {
		return fmt.Errorf("-k %d, want 1 or more", o.k)
	}
	model, err := encoder.Load(o.model, nil)
	if err != nil {
		return err
	}
	defer model.Close()
	set, err := images.Open(o.data)
	if err != nil {
		return err
	}
	defer set.Close()
	photos, err := open(o.index, model)
	if err != nil {
		return err
	}
	defer photos.Close()
	if err := update(ctx, model, set, photos, o.index); err != nil {
		return err
	}
	if photos.Len() == 0 {
		return errors.New("none of the images could be indexed")
	}
	page := sheet.New(fmt.Sprintf("The nearest of %d images", photos.Len()))
	page.Columns = o.k
	if err := search(ctx, model, set, photos, page, o); err != nil {
		return err
	}
	if err := page.WritePNG(o.out); err != nil {
		return err
	}
	fmt.Printf("sheet: %s\n", o.out)
	return nil
}

// open opens the index, or begins one.
func open(path string, model *encoder.Model) (*index.Index, error) {
	if path == "" {
		return index.Of(model), nil
	}
	photos, err := index.Open(path, model)
	if errors.Is(err, fs.ErrNotExist) {
		return index.Of(model), nil
	}
	return photos, err
}

// update brings the index up to date with the set, and saves what has changed,
// also where embedding was interrupted.
func update(ctx context.Context, model *encoder.Model, set *images.Set, photos *index.Index, path string) error {
	there, todo := make(map[string]bool, set.Len()), []string(nil)
	for _, e := range set.Entries() {
		there[e.Key] = true
		if known, ok := photos.Get(e.Key); !ok || known != e {
			todo = append(todo, e.Key)
		}
	}
	changed := false
	for e := range photos.Entries() {
		if !there[e.Key] {
			changed = photos.Delete(e.Key) > 0 || changed
		}
	}
	err := set.Embed(ctx, model, todo, func(entries []index.Entry, e *encoder.Embeddings) error {
		changed = true
		return photos.Add(entries, e)
	})
	if changed && path != "" {
		err = errors.Join(err, photos.Save(path))
	}
	return err
}

// search adds a row of results for each query.
func search(ctx context.Context, model *encoder.Model, set *images.Set, photos *index.Index, page *sheet.Sheet, o options) error {
	queries, err := model.EncodeTexts(ctx, o.queries...)
	if err != nil {
		return err
	}
	for i, words := range o.queries {
		if err := answer(words, queries.Row(i), set, photos, page.Row(words), o); err != nil {
			return err
		}
	}
	if o.like == "" {
		return nil
	}
	img, err := vision.DecodeFile(o.like, nil)
	if err != nil {
		return err
	}
	query, err := model.EncodeImages(ctx, img)
	if err != nil {
		return err
	}
	page.Row("").Add(sheet.Cell{Image: img, Note: o.like})
	return answer("like "+o.like, query.Data, set, photos, page.Row("like this:"), o)
}

func answer(name string, query []float32, set *images.Set, photos *index.Index, row *sheet.Row, o options) error {
	hits, err := photos.Search(query, o.k, func(e index.Entry) bool { return strings.Contains(e.Key, o.only) })
	if err != nil {
		return err
	}
	fmt.Println(name)
	for _, h := range hits {
		fmt.Printf("  %.3f  %s\n", h.Score, h.Key)
		row.Add(sheet.Cell{Image: set.Image(h.Key), Note: fmt.Sprintf("%.3f  %s", h.Score, h.Key)})
	}
	return nil
}
