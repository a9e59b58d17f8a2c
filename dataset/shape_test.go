package dataset

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// TestShapes has a set for each row of docs/sets.md, and beside each the like of it
// that is something else.
func TestShapes(t *testing.T) {
	one, two := pngOf(1), pngOf(2)
	both := func(a, b string, more ...member) []member {
		return append([]member{{a, one}, {b, two}}, more...)
	}
	captions := "image,caption\n1.png,a\n2.png,b\n"
	for _, c := range []struct {
		name  string
		files []member
		shape Shape
		want  string // captions or label of each
	}{
		{"images", both("1.png", "2.png"), Images, `[] "" [] ""`},
		{"images in albums below one folder", both("Summer in Italy/1.png", "Summer in Italy/2.png"), Images, `[] "" [] ""`},
		{"a stray text", both("1.png", "2.png", member{"notes.txt", "x"}), Images, `[] "" [] ""`},
		{"a stray table", both("cat/1.png", "dog/2.png", member{"log.csv", "time,level\n1,2\n"}), ClassFolders, `[] "cat" [] "dog"`},
		{"a stray log of JSON", both("cat/1.png", "dog/2.png", member{"events.jsonl", `{"step": 1}`}), ClassFolders, `[] "cat" [] "dog"`},
		{"class folders", both("cat/1.png", "dog/2.png"), ClassFolders, `[] "cat" [] "dog"`},
		{"class folders with folders below", both("cat/a/b/1.png", "dog/images/2.png"), ClassFolders, `[] "cat" [] "dog"`},
		{"class folders in splits", both("test/cat/1.png", "train/dog/2.png"), ClassFolders, `[] "cat" [] "dog"`},
		{"class folders in splits of other names", both("seg_test/seg_test/cat/1.png", "seg_train/seg_train/dog/2.png"), ClassFolders, `[] "cat" [] "dog"`},
		{"class folders in one split beside images", append(both("x/train/cat/1.png", "x/train/dog/2.png"), member{"x/val1/3.png", one}), ClassFolders, `[] "cat" [] "dog" [] ""`},
		{"splits without classes", both("cars_test/1.png", "cars_train/2.png"), Images, `[] "" [] ""`},
		{"classes of two kinds of trains", both("freight_train/1.png", "passenger_train/2.png"), ClassFolders, `[] "freight_train" [] "passenger_train"`},
		{"class folders in a folder", both("pets/cat/1.png", "pets/dog/2.png"), ClassFolders, `[] "cat" [] "dog"`},
		{"tiny-imagenet", append(both("train/n1/images/1.png", "train/n2/images/2.png"), member{"val/images/3.png", one}), ClassFolders, `[] "n1" [] "n2" [] ""`},
		{"tiny-imagenet with its table", append(both("train/n1/images/1.png", "train/n2/images/2.png"), member{"val/images/3.png", one}, member{"val/images/4.png", two},
			member{"train/n1/n1_boxes.txt", "1.png\t0\t1\t2\t3\n"}, member{"val/val_annotations.txt", "3.png\tn2\t0\t32\t44\t62\n4.png\tn1\t0\t0\t9\t9\n"}), ClassFolders, `[] "n1" [] "n2" [] "n2" [] "n1"`},
		{"a table of the images in no class folder", append(both("train/cat/1.png", "train/dog/2.png"), member{"val/images/3.png", one}, member{"val/labels.csv", "image,label\n3.png,dog\n"}), ClassFolders, `[] "cat" [] "dog" [] "dog"`},
		{"tiny-imagenet's val alone", both("images/1.png", "images/2.png", member{"val_annotations.txt", "1.png\tn2\t0\t32\t44\t62\n2.png\tn1\t0\t0\t9\t9\n"}), Tables, `[] "n2" [] "n1"`},
		{"a table that says something else than the folders", both("train/cat/1.png", "train/dog/2.png", member{"t.csv", "image,label\ntrain/cat/1.png,tabby\ntrain/dog/2.png,pug\n"}), Tables, `[] "tabby" [] "pug"`},
		{"a class that is called images", both("dogs/1.png", "images/2.png"), ClassFolders, `[] "dogs" [] "images"`},
		{"a class that is called train", both("bus/1.png", "train/2.png"), ClassFolders, `[] "bus" [] "train"`},
		{"images and masks", both("images/1.png", "masks/2.png"), Images, `[] "" [] ""`},
		{"pairs", both("1.png", "2.png", member{"1.txt", "a"}, member{"2.caption", "b"}), Pairs, `["a"] "" ["b"] ""`},
		{"pairs, several captions a file", both("1.png", "2.png", member{"1.txt", "a\nb\r\n"}, member{"2.txt", "c"}), Pairs, `["a" "b"] "" ["c"] ""`},
		{"pairs with JSON", both("1.png", "2.png", member{"1.json", `{"caption":"a"}`}, member{"2.json", `{"caption":"b","label":"x"}`}), Pairs, `["a"] "" ["b"] "x"`},
		{"CLIP_benchmark's classes", both("0.png", "1.png", member{"0.cls", "1"}, member{"1.cls", "0"}, member{"classnames.txt", "red fox\nowl\n"},
			member{"zeroshot_classification_templates.txt", "a photo of a {c}, a type of bird.\n"}, member{"README.txt", "x"}), Pairs, `[] "owl" [] "red fox"`},
		{"boxes of objects are no captions", both("cat/1.png", "dog/2.png", member{"cat/1.txt", "0 0.5 0.5 0.1 0.1\n"}, member{"dog/2.txt", "1 0.5 0.5 0.1 0.1\n"}), ClassFolders, `[] "cat" [] "dog"`},
		{"two images of one key", both("1.jpg", "1.png", member{"1.txt", "a"}), Pairs, `["a"] "" ["a"] ""`},
		{"caption folders", both("images/1.png", "images/2.png", member{"captions/1.txt", "a"}, member{"captions/2.txt", "b"}), CaptionFolders, `["a"] "" ["b"] ""`},
		{"CUB", both("images/001.Finch/1.png", "images/002.Wren/2.png", member{"text_c10/001.Finch/1.txt", "a\nb\n"}, member{"text_c10/002.Wren/2.txt", "c\n"}), CaptionFolders, `["a" "b"] "" ["c"] ""`},
		{"Flowers", both("jpg/image_1.png", "jpg/image_2.png", member{"text/class_1/image_1.txt", "a\n"}, member{"text/class_2/image_2.txt", "b\n"}), CaptionFolders, `["a"] "" ["b"] ""`},
		{"a table", both("1.png", "2.png", member{"t.csv", captions}), Tables, `["a"] "" ["b"] ""`},
		{"Flickr8k", both("Images/1.png", "Images/2.png", member{"captions.txt", captions}), Tables, `["a"] "" ["b"] ""`},
		{"Flickr's tokens", both("i/1.png", "i/2.png", member{"x.token", "1.png#0\ta\n1.png#1\tb\n2.png#0\tc\n"}), Tables, `["a" "b"] "" ["c"] ""`},
		{"Flickr30k", both("i/1.png", "i/2.png", member{"results.csv", "image_name| comment_number| comment\n1.png| 0| \"a\", he said\n2.png| 4   b .\n"}), Tables, `["\"a\", he said"] "" ["b ."] ""`},
		{"Karpathy", both("i/1.png", "i/2.png", member{"dataset.json", `{"images":[{"filename":"1.png","sentences":[{"raw":"a"}]},{"filename":"2.png","sentences":[{"raw":"b"}]}],"dataset":"x"}`}), Tables, `["a"] "" ["b"] ""`},
		{"COCO", both("val/1.png", "val/2.png", member{"annotations/c.json", `{"annotations":[{"image_id":7,"caption":"b\n"},{"image_id":5,"caption":"a "}],"images":[{"id":5,"file_name":"1.png"},{"id":7,"file_name":"2.png"}]}`}), Tables, `["a"] "" ["b"] ""`},
		{"COCO, ids of several forms", both("1.png", "2.png", member{"c.json", `{"images":[{"id":1.0,"file_name":"1.png"},{"id":"2","file_name":"2.png"}],"annotations":[{"image_id":2,"caption":"b"},{"image_id":1,"caption":"a"}]}`}), Tables, `["a"] "" ["b"] ""`},
		{"Karpathy without raw sentences", both("1.png", "2.png", member{"d.json", `{"images":[{"filename":"1.png","sentences":[{"tokens":["a","dog"]}]},{"filename":"2.png","sentences":[{"tokens":["b"],"raw":"B."}]}]}`}), Tables, `["a dog"] "" ["B."] ""`},
		{"an object for each path", both("1.png", "2.png", member{"c.json", `{"1.png":{"caption":"a","label":"x"},"2.png":{"caption":["b","c"]}}`}), Tables, `["a"] "x" ["b" "c"] ""`},
		{"a number for each path is a label", both("1.png", "2.png", member{"c.json", `{"1.png":3,"2.png":"3"}`}), Tables, `[] "3" ["3"] ""`},
		{"lemmas beside tokens", both("1.png", "2.png", member{"a.lemma.token.txt", "1.png#0\tdog\n2.png#0\tcat\n"}, member{"a.token.txt", "1.png#0\tdogs\n2.png#0\tcats\n"}), Tables, `["dogs"] "" ["cats"] ""`},
		{"paths of Windows, and spaces beside separators", both("i/1.png", "i/2.png", member{"t.csv", "image , caption\ni\\1.png , a\n i/2.png, b\n"}), Tables, `["a"] "" ["b"] ""`},
		{"a backslash in a name", both(`i\1.png`, "i/1.png", member{"t.csv", "image,caption\ni\\1.png,a\ni/1.png,b\n"}), Tables, `["a"] "" ["b"] ""`},
		{"Excel's separator", both("1.png", "2.png", member{"t.csv", "sep=;\nimage;caption\n1.png;a, x\n2.png;b\n"}), Tables, `["a, x"] "" ["b"] ""`},
		{"comments above a table", both("1.png", "2.png", member{"t.csv", "# of mine\n#, too\nimage,caption\n1.png,a\n2.png,b\n"}), Tables, `["a"] "" ["b"] ""`},
		{"a header that begins as a comment", both("#1.png", "2.png", member{"t.csv", "#image,caption\n#1.png,a\n2.png,b\n"}), Tables, `["a"] "" ["b"] ""`},
		{"a name that begins as a comment", both("#1.png", "2.png", member{"t.csv", "#1.png,a\n2.png,b\n"}), Tables, `["a"] "" ["b"] ""`},
		{"a caption for each path", both("1.png", "2.png", member{"c.json", `{"1.png":"a","2.png":["b","c"]}`}), Tables, `["a"] "" ["b" "c"] ""`},
		{"a list of objects", both("1.png", "2.png", member{"c.json", `[{"image":"1.png","caption":"a"},{"image":"2.png","caption":"b"}]`}), Tables, `["a"] "" ["b"] ""`},
		{"Kaggle", both("images/15.png", "images/16.png", member{"styles.csv", "id,year,productDisplayName\n15,2011,a\n16,2012,b\n"}), Tables, `["a"] "" ["b"] ""`},
		{"a column of images of any name", both("images/15.png", "images/16.png", member{"s.csv", "sku,breed\n15,a\n16,b\n"}), Tables, `[] "a" [] "b"`},
		{"metadata of splits", both("test/1.png", "train/1.png", member{"test/metadata.csv", "file_name,text\n1.png,a\n"}, member{"train/metadata.csv", "file_name,text\n1.png,b\n"}), Tables, `["a"] "" ["b"] ""`},
		{"GTSRB", both("00000/1.png", "00001/1.png", member{"00000/GT-0.csv", "Filename;Width;ClassId\n1.png;9;0\n"}, member{"00001/GT-1.csv", "Filename;Width;ClassId\n1.png;9;1\n"}), Tables, `[] "0" [] "1"`},
		{"without a header", both("1.png", "2.png", member{"c.tsv", "1.png\ta\n2.png\tb\n"}), Tables, `["a"] "" ["b"] ""`},
		{"tables that say the same", both("1.png", "2.png", member{"captions.txt", captions}, member{"f.token.txt", "1.png#0\ta\n2.png#0\tb\n"}), Tables, `["a"] "" ["b"] ""`},
		{"thumbnails", both("cat/1.png", "dog/2.png", member{"cat/@eaDir/1.png/SYNOPHOTO_THUMB_M.png", one}, member{"#recycle/3.png", two}, member{"dog/._2.png", two}, member{".thumbnails/4.png", two}), ClassFolders, `[] "cat" [] "dog"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, name := range []string{"d", "d.tar"} {
				fsys := folderFS("d", c.files)
				fsys["d.tar"] = mapFS(map[string][]byte{"x": tarOf(t, c.files)})["x"]
				set, err := OpenFS(fsys, name, nil)
				if err != nil {
					t.Fatalf("%s: %v", name, err)
				}
				x, _ := set.Indexed()
				var got []string
				for i := range x.Len() {
					s := x.At(i)
					if _, err := s.Picture(); err != nil {
						t.Errorf("%s: %s: %v", name, s.Key, err)
					}
					got = append(got, fmt.Sprintf("%q %q", s.Captions, s.Label))
				}
				if text := strings.Join(got, " "); text != c.want || set.Seen().Shape != c.shape {
					t.Errorf("%s: got %v, %s (%v), want %v, %s", name, set.Seen().Shape, text, set.Seen(), c.shape, c.want)
				}
			}
		})
	}
}

// TestTwoReadings: where two shapes fit, both are named, and Options.Shape chooses.
func TestTwoReadings(t *testing.T) {
	var files []member
	for i := range 10 {
		files = append(files, member{fmt.Sprintf("%s/%d.png", []string{"cat", "dog"}[i%2], i), pngOf(i)})
	}
	files = append(files, member{"cat/0.txt", "a"}, member{"cat/2.txt", "b"}, member{"cat/4.txt", "c"})
	fsys := folderFS("d", files)
	_, err := OpenFS(fsys, "d", nil)
	for _, want := range []string{"pairs (3 of 10 images", "classes (10 images in 2 class folders)", "--shape=pairs", "--shape=classes"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got error %v, want %q in it", err, want)
		}
	}
	for shape, labelled := range map[Shape]int{Pairs: 0, ClassFolders: 10, Images: 0} {
		set, err := OpenFS(fsys, "d", &Options{Shape: shape})
		if err != nil || set.Seen().Shape != shape || set.Seen().Labelled != labelled {
			t.Errorf("%v: got %v, error %v", shape, set.Seen(), err)
		}
	}
	if _, err := OpenFS(fsys, "d", &Options{Shape: Tables}); err == nil || !strings.Contains(err.Error(), "nothing here has the shape tables") {
		t.Errorf("got error %v, want one about tables", err)
	}
}

// TestSeenInWords is what a user reads.
func TestSeenInWords(t *testing.T) {
	s := Seen{Shape: Images, Samples: 1204, Alone: []string{"notes.txt", "a\x1b[2Jb", "c", "d"}, AloneCount: 4, LeftOut: map[string]int{"thumbnails": 2}}
	const want = `1,204 images without captions; 2 images left out (thumbnails); 4 other files left alone: notes.txt, "a\x1b[2Jb", c, …`
	if got := s.String(); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// TestOneClassFolder: images of one folder have no class unless that is asked for, which
// is said; what no class can be is not.
func TestOneClassFolder(t *testing.T) {
	for name, want := range map[string]string{"cat/1.png": "cat", "train/cat/a/1.png": "cat", "cat/a/1.png": "cat", "1.png": "", "images/1.png": "", "train/1.png": "", "train/images/1.png": ""} {
		fsys := folderFS("d", []member{{name, pngOf(1)}})
		set, err := OpenFS(fsys, "d", nil)
		if err != nil || set.Seen().Labelled != 0 || strings.Contains(set.Seen().String(), "--shape=classes") != (want != "") {
			t.Errorf("%s: %v, error %v", name, set.Seen(), err)
		}
		if set, err = OpenFS(fsys, "d", &Options{Shape: ClassFolders}); want != "" && (err != nil || !slices.Equal(set.Classes(), []string{want})) {
			t.Errorf("%s as classes: %q, error %v", name, set.Classes(), err)
		}
	}
}

// TestExclude leaves out by names and by paths.
func TestExclude(t *testing.T) {
	files := []member{{"cat/1.png", pngOf(1)}, {"dog/2.png", pngOf(2)}, {"dog/small/3.png", pngOf(3)}, {"old/4.gif", pngOf(4)}}
	for _, c := range []struct {
		patterns []string
		want     int
	}{{nil, 4}, {[]string{"small"}, 3}, {[]string{"*.gif", "dog/small/"}, 2}, {[]string{"dog"}, 2}, {[]string{"dog/*.png"}, 3}} {
		set, err := OpenFS(folderFS("d", files), "d", &Options{Exclude: c.patterns})
		if err != nil || set.Len() != c.want {
			t.Errorf("%q: %d samples, error %v, want %d", c.patterns, set.Len(), err, c.want)
		}
	}
	if _, err := OpenFS(folderFS("d", files), "d", &Options{Exclude: []string{"["}}); err == nil {
		t.Error("a pattern that is none is accepted")
	}
}

// TestFaultyRowsAreBounded: a table of nothing but commas takes little.
func TestFaultyRowsAreBounded(t *testing.T) {
	table := "image,caption\n1.png,a\n" + strings.Repeat(",\n", 200_000)
	set, err := OpenFS(folderFS("d", []member{{"1.png", pngOf(1)}, {"t.csv", table}}), "d/t.csv", nil)
	if err != nil || set.Len() != maxFaults+2 {
		t.Fatalf("%d samples, error %v, want %d", set.Len(), err, maxFaults+2)
	}
	x, _ := set.Indexed()
	if got := x.At(x.Len() - 1).Fault; got == nil || !strings.Contains(got.Error(), "199,000 more rows are faulty") {
		t.Errorf("the last is %v", got)
	}
}

// TestWhatATableLoses: what of a table belongs to no image is told.
func TestWhatATableLoses(t *testing.T) {
	one := pngOf(1)
	for _, c := range []struct{ file, table, want string }{
		{"c.json", `{"images":[{"id":1,"file_name":"1.png"}],"annotations":[{"image_id":1,"caption":"a"},{"image_id":99,"caption":"b"},{"image_id":99,"caption":"c"}]}`, "2 captions of image 99, which is not among the images"},
		{"c.json", `{"images":[{"id":1,"file_name":"1.png"},{"id":1,"file_name":"2.png"}],"annotations":[{"image_id":1,"caption":"a"}]}`, "another image has the id 1, too"},
		{"t.csv", "image,caption\n1.png,a\n1.png,b,c\n", "fields: 3, columns in the header: 2"},
	} {
		set, err := OpenFS(folderFS("d", []member{{"1.png", one}, {"2.png", one}, {c.file, c.table}}), "d", nil)
		if err != nil {
			t.Error(err)
			continue
		}
		x, _ := set.Indexed()
		if first, last := x.At(0), x.At(x.Len()-1).Fault; !slices.Equal(first.Captions, []string{"a"}) || last == nil || !strings.Contains(last.Error(), c.want) {
			t.Errorf("%s: %q, and then %v, want %s", c.table, first.Captions, last, c.want)
		}
	}
	for table, want := range map[string]string{
		"image,caption\n3.png,a\n":           "says nothing of the images: there is no image 3.png",
		"image,caption,caption\n1.png,a,b\n": `there are two columns "caption"`,
	} {
		set, err := OpenFS(folderFS("d", []member{{"1.png", one}, {"t.csv", table}}), "d", nil)
		if err != nil || set.Seen().Shape != Images || !strings.Contains(set.Seen().String(), want) {
			t.Errorf("%q: %v, error %v, want %s", table, set.Seen(), err, want)
		}
	}
}

// TestNumbersOfLabels: a number that a column with gaps made a fraction is still that of
// a name; one that names nothing stays as it is.
func TestNumbersOfLabels(t *testing.T) {
	files := folderFS("d", []member{{"1.png", pngOf(1)}, {"2.png", pngOf(2)}, {"t.csv", "image,label\n1.png,1.0\n2.png,0.0\n"}})
	for _, c := range []struct {
		o    Options
		want []string
	}{
		{Options{Classes: []string{"cat", "dog"}}, []string{"dog", "cat"}}, {Options{Names: map[string]string{"0": "cat", "1": "dog"}}, []string{"dog", "cat"}},
		{Options{}, []string{"1.0", "0.0"}}, {Options{Classes: []string{"0.0", "1.0"}}, []string{"1.0", "0.0"}},
	} {
		set, err := OpenFS(files, "d", &c.o)
		if err != nil {
			t.Fatal(err)
		}
		x, _ := set.Indexed()
		if got := []string{x.At(0).Label, x.At(1).Label}; !slices.Equal(got, c.want) {
			t.Errorf("%+v: got %q, want %q", c.o, got, c.want)
		}
	}
}

// TestOneColumn: a table that has one column is a list of images, whose names may
// hold what separates columns elsewhere.
func TestOneColumn(t *testing.T) {
	files := []member{{"a,b.png", pngOf(1)}, {"c.png", pngOf(2)}, {"t.csv", "image\na,b.png\nc.png\n"}}
	set, err := OpenFS(folderFS("d", files), "d/t.csv", nil)
	if err != nil {
		t.Fatal(err)
	}
	x, _ := set.Indexed()
	if keys := []string{x.At(0).Key, x.At(1).Key}; x.Len() != 2 || !slices.Equal(keys, []string{"a,b.png", "c.png"}) {
		t.Errorf("got %q", keys)
	}
}
