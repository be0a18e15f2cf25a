/* manifest and secret: the exact formats, and every way of being wrong. */
#include "bundle/bundle.h"

#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>

#define SEED "00112233445566778899aabbccddeeff"
#define SHA "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define ID_A "aa000000000000000000000000000001"
#define ID_B "bb000000000000000000000000000002"

static char *folder;

static char *at(const char *name) {
  return g_build_filename(folder, name, NULL);
}

static void put(const char *name, const char *text) {
  g_autofree char *path = at(name);
  g_assert_true(g_file_set_contents(path, text, -1, NULL));
}

/* ---- manifest
 * ---------------------------------------------------------------------------------------- */
static void test_manifest_format(void) {
  g_autoptr(PtManifest) manifest = pt_manifest_new();
  g_assert_true(pt_noise_init(&manifest->noise, SEED, 1 << 21, 0, 0, 0, NULL));
  pt_manifest_add(manifest, ID_B, SHA);
  pt_manifest_add(manifest, ID_A, SHA);
  GError *error = NULL;
  g_assert_true(pt_manifest_write(manifest, folder, &error));
  g_autofree char *path = at("manifest.json"), *text = NULL;
  g_assert_true(g_file_get_contents(path, &text, NULL, NULL));
  g_autofree char *flat = g_strdup(text); /* without white space */
  char *to = flat;
  for (const char *from = text; *from; from++)
    if (!strchr(" \n", *from))
      *to++ = *from;
  *to = '\0';
  g_assert_cmpstr(flat, ==,
                  "{\"format\":\"proteus-bundle\",\"version\":1,\"noise\":{\"file\":\"noise.bin\","
                  "\"seed\":\"" SEED "\",\"floats\":2097152},\"candidates\":["
                  "{\"id\":\"" ID_A "\",\"file\":\"" ID_A ".onnx\",\"sha256\":\"" SHA "\"},"
                  "{\"id\":\"" ID_B "\",\"file\":\"" ID_B ".onnx\",\"sha256\":\"" SHA "\"}]}");
  g_autoptr(PtManifest) back = pt_manifest_read(folder, &error);
  g_assert_no_error(error);
  g_assert_cmpuint(back->candidates->len, ==, 2);
  const PtCandidate *first = g_ptr_array_index(back->candidates, 0);
  g_assert_cmpstr(first->id, ==, ID_A);
  g_assert_cmpstr(first->file, ==, ID_A ".onnx");
  g_assert_cmpstr(first->sha256, ==, SHA);
  g_assert_cmpint(memcmp(&back->noise, &manifest->noise, sizeof back->noise), ==, 0);
}

static void test_manifest_sections(void) {
  g_autoptr(PtManifest) manifest = pt_manifest_new();
  g_assert_true(pt_noise_init(&manifest->noise, SEED, 1 << 22, 8, 16, 32, NULL));
  g_assert_true(pt_manifest_write(manifest, folder, NULL));
  g_autoptr(PtManifest) back = pt_manifest_read(folder, NULL);
  g_assert_cmpint(memcmp(&back->noise, &manifest->noise, sizeof back->noise), ==, 0);
}

#define NOISE "\"noise\":{\"file\":\"noise.bin\",\"seed\":\"" SEED "\",\"floats\":2097152}"
#define HEAD "{\"format\":\"proteus-bundle\",\"version\":1,"
#define ENTRY(id, file, sha) "{\"id\":\"" id "\",\"file\":\"" file "\",\"sha256\":\"" sha "\"}"
#define GOOD ENTRY(ID_A, ID_A ".onnx", SHA)

static void test_manifest_hostile(void) {
  static const struct {
    const char *text;
    PtErrorCode code;
  } cases[] = {
      {"", PT_ERR_INPUT},
      {"{", PT_ERR_INPUT},
      {"[]", PT_ERR_INPUT},
      {"{}", PT_ERR_INPUT},
      {"\xff\xfe", PT_ERR_INPUT},
      {"{\"format\":\"proteus-secret\",\"version\":1," NOISE ",\"candidates\":[]}",
       PT_ERR_MISMATCH},
      {"{\"format\":\"proteus-bundle\",\"version\":2," NOISE ",\"candidates\":[]}",
       PT_ERR_MISMATCH},
      {"{\"format\":\"proteus-bundle\",\"version\":\"1\"," NOISE ",\"candidates\":[]}",
       PT_ERR_INPUT},
      {"{\"format\":\"proteus-bundle\"," NOISE ",\"candidates\":[]}", PT_ERR_INPUT},
      {"{\"format\":3,\"version\":1," NOISE ",\"candidates\":[]}", PT_ERR_INPUT},
      {HEAD "\"candidates\":[]}", PT_ERR_INPUT},
      {HEAD NOISE "}", PT_ERR_INPUT},
      {HEAD NOISE "," NOISE ",\"candidates\":[]}", PT_ERR_INPUT},
      {HEAD NOISE ",\"candidates\":{}}", PT_ERR_INPUT},
      {HEAD NOISE ",\"candidates\":[3]}", PT_ERR_INPUT},
      {HEAD NOISE ",\"candidates\":[" GOOD "," GOOD "]}", PT_ERR_INPUT},
      {HEAD NOISE ",\"candidates\":[" ENTRY("..", "...onnx", SHA) "]}", PT_ERR_INPUT},
      {HEAD NOISE ",\"candidates\":[" ENTRY("", ".onnx", SHA) "]}", PT_ERR_INPUT},
      {HEAD NOISE ",\"candidates\":[" ENTRY("AB", "AB.onnx", SHA) "]}", PT_ERR_INPUT},
      {HEAD NOISE ",\"candidates\":[" ENTRY("a\\u0000b", "a.onnx", SHA) "]}", PT_ERR_INPUT},
      {HEAD NOISE ",\"candidates\":[" ENTRY("ab", "../ab.onnx", SHA) "]}", PT_ERR_INPUT},
      {HEAD NOISE ",\"candidates\":[" ENTRY("ab", "ab.onnx", "12") "]}", PT_ERR_INPUT},
      {HEAD NOISE ",\"candidates\":[{\"id\":\"ab\",\"file\":\"ab.onnx\"}]}", PT_ERR_INPUT},
      {HEAD "\"noise\":{\"file\":\"/etc/passwd\",\"seed\":\"" SEED
            "\",\"floats\":2097152},\"candidates\":[]}",
       PT_ERR_INPUT},
      {HEAD
       "\"noise\":{\"file\":\"noise.bin\",\"seed\":\"xyz\",\"floats\":2097152},\"candidates\":[]}",
       PT_ERR_INPUT},
      {HEAD "\"noise\":{\"file\":\"noise.bin\",\"seed\":\"" SEED
            "\",\"floats\":-4},\"candidates\":[]}",
       PT_ERR_INPUT},
      {HEAD "\"noise\":{\"file\":\"noise.bin\",\"seed\":\"" SEED
            "\",\"floats\":3},\"candidates\":[]}",
       PT_ERR_INPUT},
      {HEAD "\"noise\":{\"file\":\"noise.bin\",\"seed\":\"" SEED
            "\",\"floats\":4611686018427387904},\"candidates\":[]}",
       PT_ERR_LIMIT},
  };
  for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
    put("manifest.json", cases[i].text);
    GError *error = NULL;
    g_assert_null(pt_manifest_read(folder, &error));
    g_assert_nonnull(error);
    if (error->code != (int)cases[i].code)
      g_error("case %zu: %s", i, error->message);
    g_assert_nonnull(strstr(error->message, "manifest.json"));
    g_clear_error(&error);
  }
  g_autofree char *path = at("manifest.json");
  g_unlink(path);
  GError *error = NULL;
  g_assert_null(pt_manifest_read(folder, &error));
  g_assert_error(error, PT_BASE_ERROR, PT_ERR_IO);
  g_clear_error(&error);
  put("manifest.json", HEAD NOISE ",\"candidates\":[" GOOD "]}");
  g_autoptr(PtManifest) good = pt_manifest_read(folder, &error);
  g_assert_no_error(error);
  g_assert_nonnull(good);
}

/* ---- secret
 * ------------------------------------------------------------------------------------------ */
static PtSecret *example(void) {
  PtSecret *secret = pt_secret_new();
  secret->model_sha256 = g_strdup(SHA);
  strcpy(secret->noise_seed, SEED);
  secret->floats = 1 << 21;
  secret->folded = true;
  PtSecretBucket *bucket = pt_secret_bucket_new();
  g_ptr_array_add(secret->buckets, bucket);
  bucket->real = g_strdup(ID_B);
  g_ptr_array_add(bucket->candidates, g_strdup(ID_A));
  g_ptr_array_add(bucket->candidates, g_strdup(ID_B));
  PtMember *member = pt_member_new();
  g_ptr_array_add(bucket->members, member);
  for (uint32_t i = 4; i < 7; i++)
    g_array_append_val(member->nodes, i);
  g_ptr_array_add(member->inputs, g_strdup("in \"quoted\" \xc3\xa9"));
  g_ptr_array_add(member->outputs, g_strdup("out/1"));
  pt_member_add_weight(member, "c0", "layer.weight", 1024, 4096, NULL);
  return secret;
}

static void test_secret_format(void) {
  g_autoptr(PtSecret) secret = example();
  g_autofree char *path = at("model.secret"), *text = NULL;
  GError *error = NULL;
  g_assert_true(pt_secret_write(secret, path, &error));
  g_assert_no_error(error);
  struct stat st;
  g_assert_cmpint(stat(path, &st), ==, 0);
  g_assert_cmpint(st.st_mode & 07777, ==, 0600);
  g_assert_true(g_file_get_contents(path, &text, NULL, NULL));
  g_assert_cmpstr(text, ==,
                  "{\"format\":\"proteus-secret\",\"version\":1,\"model_sha256\":\"" SHA
                  "\",\"folded\":true,\"noise\":{\"file\":\"noise.bin\",\"seed\":\"" SEED
                  "\",\"floats\":2097152},"
                  "\"buckets\":[{\"real\":\"" ID_B "\",\"candidates\":[\"" ID_A "\",\"" ID_B "\"],"
                  "\"members\":[{\"nodes\":[4,5,6],\"inputs\":[\"in \\\"quoted\\\" \xc3\xa9\"],"
                  "\"outputs\":[\"out/1\"],\"weights\":{\"c0\":{\"value\":\"layer.weight\","
                  "\"offset\":1024,\"size\":4096}}}]}]}\n");
  g_autoptr(PtSecret) back = pt_secret_read(path, &error);
  g_assert_no_error(error);
  g_assert_cmpstr(back->noise_seed, ==, SEED);
  g_assert_cmpuint(back->floats, ==, 1 << 21);
  g_assert_true(back->folded);
  const PtSecretBucket *bucket = g_ptr_array_index(back->buckets, 0);
  g_assert_cmpstr(bucket->real, ==, ID_B);
  g_assert_null(bucket->kept);
  const PtMember *member = g_ptr_array_index(bucket->members, 0);
  g_assert_cmpuint(member->nodes->len, ==, 3);
  g_assert_cmpuint(g_array_index(member->nodes, uint32_t, 2), ==, 6);
  g_assert_cmpstr(g_ptr_array_index(member->inputs, 0), ==, "in \"quoted\" \xc3\xa9");
  const PtSecretWeight *weight = g_ptr_array_index(member->weights, 0);
  g_assert_cmpstr(weight->name, ==, "c0");
  g_assert_cmpstr(weight->original, ==, "layer.weight");
  g_assert_cmpuint(weight->offset, ==, 1024);
  g_assert_cmpuint(weight->size, ==, 4096);
}

static void test_secret_kept(void) {
  g_autoptr(PtSecret) secret = example();
  PtSecretBucket *bucket = g_ptr_array_index(secret->buckets, 0);
  bucket->kept = g_strdup("it has strings");
  g_autofree char *path = at("kept.secret");
  g_assert_true(pt_secret_write(secret, path, NULL));
  g_autoptr(PtSecret) back = pt_secret_read(path, NULL);
  g_assert_cmpstr(((PtSecretBucket *)g_ptr_array_index(back->buckets, 0))->kept, ==,
                  "it has strings");
}

/* A name that JSON cannot hold: said, and nothing is left behind. */
static void test_secret_not_utf8(void) {
  g_autoptr(PtSecret) secret = example();
  PtSecretBucket *bucket = g_ptr_array_index(secret->buckets, 0);
  PtMember *member = g_ptr_array_index(bucket->members, 0);
  g_ptr_array_add(member->outputs, g_strdup("bad \xff"));
  g_autofree char *path = at("bad.secret");
  GError *error = NULL;
  g_assert_false(pt_secret_write(secret, path, &error));
  g_assert_error(error, PT_BUNDLE_ERROR, PT_ERR_UNSUPPORTED);
  g_clear_error(&error);
  g_assert_false(g_file_test(path, G_FILE_TEST_EXISTS));
}

#define SECRET                                                                                     \
  "{\"format\":\"proteus-secret\",\"version\":1,\"model_sha256\":\"" SHA "\"," NOISE ","
#define BUCKET(real, candidates, members)                                                          \
  "\"buckets\":[{\"real\":\"" real "\",\"candidates\":[" candidates "],\"members\":[" members "]}" \
  "]}"
#define MEMBER(nodes, weights)                                                                     \
  "{\"nodes\":[" nodes "],\"inputs\":[],\"outputs\":[],\"weights\":{" weights "}}"

static void test_secret_hostile(void) {
  static const struct {
    const char *text;
    PtErrorCode code;
  } cases[] = {
      {"{}", PT_ERR_INPUT},
      {"{\"format\":\"proteus-secret\",\"version\":7}", PT_ERR_MISMATCH},
      {"{\"format\":\"proteus-bundle\",\"version\":1}", PT_ERR_MISMATCH},
      {"{\"format\":\"proteus-secret\",\"version\":1," NOISE ",\"buckets\":[]}", PT_ERR_INPUT},
      {"{\"format\":\"proteus-secret\",\"version\":1,\"model_sha256\":\"zz\"," NOISE
       ",\"buckets\":[]}",
       PT_ERR_INPUT},
      {SECRET "\"buckets\":3}", PT_ERR_INPUT},
      {SECRET "\"buckets\":[{}]}", PT_ERR_INPUT},
      {SECRET BUCKET("ab", "\"cd\"", MEMBER("1", "")), PT_ERR_INPUT},
      {SECRET BUCKET("../x", "\"../x\"", MEMBER("1", "")), PT_ERR_INPUT},
      {SECRET BUCKET("ab", "\"ab\",7", MEMBER("1", "")), PT_ERR_INPUT},
      {SECRET BUCKET("ab", "\"ab\"", ""), PT_ERR_INPUT},
      {SECRET BUCKET("ab", "\"ab\"", "{}"), PT_ERR_INPUT},
      {SECRET BUCKET("ab", "\"ab\"", MEMBER("-1", "")), PT_ERR_INPUT},
      {SECRET BUCKET("ab", "\"ab\"", MEMBER("4294967295", "")), PT_ERR_INPUT},
      {SECRET BUCKET("ab", "\"ab\"", MEMBER("1.5", "")), PT_ERR_INPUT},
      {SECRET BUCKET("ab", "\"ab\"", MEMBER("1", "\"c\":3")), PT_ERR_INPUT},
      {SECRET BUCKET("ab", "\"ab\"",
                     MEMBER("1", "\"c\":{\"value\":\"w\",\"offset\":8388608,\"size\":1}")),
       PT_ERR_INPUT},
      {SECRET BUCKET(
           "ab", "\"ab\"",
           MEMBER("1", "\"c\":{\"value\":\"w\",\"offset\":0,\"size\":9223372036854775807}")),
       PT_ERR_INPUT},
      {SECRET BUCKET("ab", "\"ab\"", MEMBER("1", "\"c\":{\"offset\":0,\"size\":1}")), PT_ERR_INPUT},
  };
  g_autofree char *path = at("hostile.secret");
  for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
    put("hostile.secret", cases[i].text);
    GError *error = NULL;
    g_assert_null(pt_secret_read(path, &error));
    g_assert_nonnull(error);
    if (error->code != (int)cases[i].code)
      g_error("case %zu: %s", i, error->message);
    g_assert_nonnull(strstr(error->message, "hostile.secret"));
    g_clear_error(&error);
  }
  GError *error = NULL;
  put("hostile.secret", SECRET BUCKET("ab", "\"ab\"", MEMBER("1", "")));
  g_autoptr(PtSecret) good = pt_secret_read(path, &error);
  g_assert_no_error(error);
  g_assert_nonnull(good);
  g_assert_null(pt_secret_read(folder, &error));
  g_assert_error(error, PT_BASE_ERROR, PT_ERR_IO);
  g_clear_error(&error);
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  folder = pt_dir_make_temp("formats", NULL);
  g_test_add_func("/formats/manifest/exact", test_manifest_format);
  g_test_add_func("/formats/manifest/sections", test_manifest_sections);
  g_test_add_func("/formats/manifest/hostile", test_manifest_hostile);
  g_test_add_func("/formats/secret/exact", test_secret_format);
  g_test_add_func("/formats/secret/kept", test_secret_kept);
  g_test_add_func("/formats/secret/not-utf8", test_secret_not_utf8);
  g_test_add_func("/formats/secret/hostile", test_secret_hostile);
  int status = g_test_run();
  pt_dir_remove(folder);
  g_free(folder);
  return status;
}
