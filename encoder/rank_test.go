package encoder_test

import (
	"context"
	"image"
	"image/color"
	"math"
	"os"
	"testing"

	"github.com/goclip/goclip/encoder"
)

// TestRankChooses: of images in shades of red and blue the one red image is
// first for its prompt, whatever its place, and its caption is first for it.
func TestRankChooses(t *testing.T) {
	ctx, dir := context.Background(), trained()
	defer os.RemoveAll(dir)
	m, err := encoder.Load(dir, nil)
	check(t, err)
	defer m.Close()
	const n = 12
	for at := range n {
		imgs := make([]image.Image, n)
		for i := range imgs {
			v := uint8(150 + 8*i)
			imgs[i] = uniform(color.RGBA{v / 8, v / 6, v, 255})
		}
		imgs[at] = uniform(color.RGBA{uint8(155 + 7*at), 20, 30, 255})
		ranked, err := m.RankImages(ctx, "a red picture", imgs...)
		check(t, err)
		if len(ranked) != n || ranked[0].Index != at {
			t.Errorf("red at %d: got %v", at, ranked)
		}
		captions := []string{"a blue picture", "something blue", "something red"}
		ranked, err = m.RankTexts(ctx, imgs[at], captions...)
		check(t, err)
		if len(ranked) != len(captions) || ranked[0].Index != 2 {
			t.Errorf("captions of the red picture: got %v", ranked)
		}
	}
}

// TestRankSorts compares with cosines in float64; equals keep their order.
func TestRankSorts(t *testing.T) {
	rows := halves(300)
	query := rows.Row(7)
	got, err := encoder.Rank(query, rows)
	check(t, err)
	seen := make([]bool, rows.N)
	for i, r := range got {
		var want float64
		for j, v := range rows.Row(r.Index) {
			want += float64(v) * float64(query[j])
		}
		if r.Score != want {
			t.Errorf("candidate %d scores %g, want %g", r.Index, r.Score, want)
		}
		if i > 0 && (r.Score > got[i-1].Score || r.Score == got[i-1].Score && r.Index < got[i-1].Index) {
			t.Errorf("%v after %v", r, got[i-1])
		}
		if seen[r.Index] {
			t.Errorf("candidate %d twice", r.Index)
		}
		seen[r.Index] = true
	}
	none, err := encoder.Rank(query, &encoder.Embeddings{Dim: 4})
	if err != nil || len(none) != 0 {
		t.Errorf("no candidates: got %v, %v", none, err)
	}
}

func TestRankRefuses(t *testing.T) {
	rows, unit := halves(5), []float32{1, 0, 0, 0}
	_, err := encoder.Rank([]float32{1, 0}, rows)
	fails(t, "a query of 2 numbers for candidates of 4", err)
	_, err = encoder.Rank([]float32{1, 2, 2, 0}, rows)
	fails(t, "the query has an embedding of length 3, want 1", err)
	_, err = encoder.Rank(unit, &encoder.Embeddings{N: 2, Dim: 4, Data: make([]float32, 7)})
	fails(t, "hold 7 numbers, want N × Dim = 2 × 4", err)
	rows.Row(3)[1] = float32(math.NaN())
	_, err = encoder.Rank(unit, rows)
	fails(t, "candidate 3 has an embedding of length NaN", err)
	m := model(t, config())
	_, err = m.RankImages(context.Background(), "a", someImages(1)[0], image.NewGray(image.Rect(0, 0, 0, 4)))
	fails(t, "image 1: ", err)
	silent, err := encoder.New(config(), nil, 1)
	check(t, err)
	_, err = silent.RankTexts(context.Background(), someImages(1)[0], "a")
	fails(t, "no tokenizer", err)
}
