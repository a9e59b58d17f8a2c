package dataset

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/goclip/goclip/internal/golden"
)

// seenCase is what a set is taken for.
type seenCase struct {
	name                                 string
	shape                                Shape
	samples, captions, classes, leftOver int // leftOver are other files left alone
	bad                                  int // samples that cannot be read
	first                                string
}

// TestCases opens sets as people and other programs have them.
func TestCases(t *testing.T) {
	for root, cases := range map[string][]seenCase{
		"cases/data": {
			{"flat", Images, 2, 0, 0, 0, 0, "IMG_1.jpg"},
			{"classes", ClassFolders, 6, 0, 2, 0, 0, "cat/1.jpg"},
			{"flickr8k", Tables, 3, 4, 0, 0, 0, "Images/1.jpg"},
			{"flickr8k/captions.txt", Tables, 3, 4, 0, 0, 0, "Images/1.jpg"},
			{"coco", Tables, 1, 1, 0, 0, 0, "train2017/1.jpg"},
			{"coco/annotations/captions_train2017.json", Tables, 1, 1, 0, 0, 0, "train2017/1.jpg"},
			{"pairdirs", CaptionFolders, 2, 2, 0, 0, 0, "images/1.jpg"},
			{"tsv", Tables, 3, 3, 0, 0, 0, "a.jpg"},
			{"pipe", Tables, 2, 4, 0, 0, 0, "a.jpg"},
			{"tars-and-stats", Shards, 4, 4, 0, 2, 0, "000000000"},
			{"dotted-keys.tar", Pairs, 2, 2, 0, 0, 0, "22.05"},
			{"repeated-keys-{a,b}.tar", Pairs, 6, 6, 0, 0, 0, "0000"},
			{"member-twice.tar", Pairs, 1, 1, 0, 0, 0, "000"},
		},
		"cases/commands": {
			{"03-one-picture-two-spellings/mixed.csv", Tables, 12, 60, 0, 0, 0, "Images/00.jpg"},
			{"03-one-picture-two-spellings/plain.csv", Tables, 12, 60, 0, 0, 0, "Images/00.jpg"},
			{"05-tiny-imagenet/train", ClassFolders, 6, 0, 3, 3, 0, "n01443537/images/n01443537_0.JPEG"},
			{"07-synology-thumbnails/photos", ClassFolders, 4, 0, 2, 0, 0, "cat/IMG_0.jpg"},
			{"09-two-pictures-one-stem/set", Pairs, 5, 5, 0, 0, 0, "a0.jpg"},
			{"11-captions-one-a-line-tar/0.tar", Pairs, 12, 60, 0, 0, 0, "s0000000"},
			{"31-empty-txt-beside-json/s.tar", Pairs, 3, 3, 0, 0, 0, "0000"},
		},
		"interchange": {
			{"source_pictures", Images, 33, 0, 0, 0, 3, "000_stripes.pal.png"},
			{"img2dataset_webdataset", Shards, 31, 30, 0, 6, 0, "0000002"},
			{"img2dataset_files", Pairs, 31, 30, 0, 4, 0, "00000/0000000"},
			{"hf_datasets/raw", Tables, 10, 10, 5, 0, 0, "train/0000.jpg"},
			{"coco", Tables, 10, 44, 0, 1, 0, "val2017/000000000139.jpg"},
			{"coco/annotations/captions_val2017.json", Tables, 10, 44, 0, 0, 0, "val2017/000000000139.jpg"},
			{"flickr8k", Tables, 10, 50, 0, 4, 0, "Images/1022139144_b06b01a1c1.jpg"},
			{"flickr8k/Flickr8k.token.txt", Tables, 11, 51, 0, 0, 1, "Images/1022139144_b06b01a1c1.jpg"},
			{"flickr30k", Tables, 10, 50, 0, 1, 0, "flickr30k_images/36979.jpg"},
			{"flickr30k/dataset_flickr30k.json", Tables, 10, 50, 0, 0, 0, "flickr30k_images/36979.jpg"},
			{"openclip_csv", Tables, 10, 10, 0, 0, 0, "images/0000.jpg"},
			{"kaggle_products", Tables, 11, 10, 0, 0, 2, "images/15970.jpg"},
			{"kaggle_products/styles.csv", Tables, 11, 10, 0, 0, 2, "images/15970.jpg"},
			{"imagefolder", ClassFolders, 20, 0, 5, 0, 0, "test/circle/test_002.jpg"},
		},
	} {
		for _, c := range cases {
			c.check(t, filepath.Join(golden.Shared(t, root), filepath.FromSlash(c.name)))
		}
	}
}

func (c seenCase) check(t *testing.T, name string) {
	t.Helper()
	set, err := Open(name, nil)
	if err != nil {
		t.Error(err)
		return
	}
	defer set.Close()
	x, _ := set.Indexed()
	s := set.Seen()
	if x.Len() != c.samples || s.Shape != c.shape || s.Captions != c.captions || s.Classes != c.classes || s.AloneCount != c.leftOver || x.At(0).Key != c.first {
		t.Errorf("%s: %v, %v, the first %s; want %+v", c.name, s.Shape, s, x.At(0).Key, c)
	}
	bad, keys := 0, map[string]bool{}
	for i := range x.Len() {
		if _, err := x.At(i).Picture(); err != nil {
			bad++
		} else if key := x.At(i).Key; keys[key] {
			t.Errorf("%s: the key %s is there twice", c.name, key)
		} else {
			keys[key] = true
		}
	}
	if bad != c.bad {
		t.Errorf("%s: %d images cannot be read, want %d", c.name, bad, c.bad)
	}
}

// TestEmbeddingsAreNoImages: clip-retrieval's folder is known for what it is.
func TestEmbeddingsAreNoImages(t *testing.T) {
	for _, name := range []string{"clip_retrieval_files", "clip_retrieval_webdataset"} {
		if _, err := Open(golden.Shared(t, "interchange", name), nil); err == nil || !strings.Contains(err.Error(), "clip-retrieval's embeddings") {
			t.Errorf("%s: got error %v, want one that says what it is", name, err)
		}
	}
}

// TestTheLastMemberCounts: of two files of one name in a tar.
func TestTheLastMemberCounts(t *testing.T) {
	set, x := mustOpen(t, golden.Shared(t, "cases", "data", "member-twice.tar"), nil)
	if got := x.At(0).Captions; len(got) != 1 || got[0] != "two" || len(set.Notes()) != 2 {
		t.Errorf("got %q and notes %v, want the second file's", got, set.Notes())
	}
}
