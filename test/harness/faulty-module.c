/* A PKCS#11 module that stands before another one and answers chosen calls with chosen return values,
 * as a device would that SoftHSM cannot play. Everything else goes to the real module.
 *
 *   FAULTY_TARGET  the real module
 *   FAULTY_RULES   a file, read at each call: lines "C_Name code times", code in hex; HANGS never returns
 */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef unsigned long word;
typedef word (*function)(word, word, word, word, word, word);

enum { FUNCTIONS = 68, GENERAL_ERROR = 5, HANGS = 0xffff };

/* CK_FUNCTION_LIST of PKCS#11 v2.40: a version, then the functions in the order of the standard. */
struct list {
  unsigned char version[2];
  function functions[FUNCTIONS];
};

static struct list real, faulty;

/* Notes in FAULTY_RULES with ".hangs" which process hangs, for whoever waits for that. */
static void hang(const char *rules) {
  char path[4096];
  FILE *notes;
  snprintf(path, sizeof path, "%s.hangs", rules);
  notes = fopen(path, "a");
  if (notes != NULL) fprintf(notes, "%d\n", getpid()), fclose(notes);
  for (;;) pause();
}

/* `uses` counts on in the life of this process, so a new agent sees the fault from its beginning. */
static word fault(const char *name, int *uses) {
  const char *path = getenv("FAULTY_RULES");
  FILE *rules = path == NULL ? NULL : fopen(path, "r");
  char called[64];
  word code = 0;
  int times = 0, found = 0;
  if (rules == NULL) return 0;
  while (fscanf(rules, "%63s %lx %d", called, &code, &times) == 3)
    if (strcmp(called, name) == 0 && *uses < times) {
      found = 1;
      break;
    }
  fclose(rules);
  if (!found) return 0;
  ++*uses;
  if (code == HANGS) hang(path);
  return code;
}

/* Every argument of these is a word or a pointer, and there are at most six of them. */
#define FAULTY(at, name)                                                        \
  static word faulty_##name(word a, word b, word c, word d, word e, word f) {   \
    static int uses = 0;                                                        \
    word code = fault("C_" #name, &uses);                                       \
    return code != 0 ? code : real.functions[at](a, b, c, d, e, f);             \
  }

FAULTY(0, Initialize)
FAULTY(12, OpenSession)
FAULTY(18, Login)
FAULTY(29, EncryptInit)
FAULTY(33, DecryptInit)
FAULTY(64, GenerateRandom)

word C_GetFunctionList(struct list **out) {
  const char *target = getenv("FAULTY_TARGET");
  void *library = target == NULL ? NULL : dlopen(target, RTLD_NOW | RTLD_LOCAL);
  word (*get)(struct list **) = library == NULL ? NULL : dlsym(library, "C_GetFunctionList");
  struct list *found;
  if (get == NULL || get(&found) != 0) return GENERAL_ERROR;
  real = faulty = *found;
  faulty.functions[0] = faulty_Initialize;
  faulty.functions[12] = faulty_OpenSession;
  faulty.functions[18] = faulty_Login;
  faulty.functions[29] = faulty_EncryptInit;
  faulty.functions[33] = faulty_DecryptInit;
  faulty.functions[64] = faulty_GenerateRandom;
  *out = &faulty;
  return 0;
}
