/*
 * A PKCS#11 library that stands before another one and breaks it on demand. Tests load it in place of the token's own.
 *
 * METERKEEP_SHIM_TARGET   the library that does the work
 * METERKEEP_SHIM_CONTROL  a file with one line, read at each call: a fault, then how often it happens (-1: until changed)
 *
 *   none                  everything passes
 *   latency N MS          N calls take MS milliseconds longer
 *   device-error N        N calls fail with CKR_DEVICE_ERROR
 *   session-lost N        N calls fail with CKR_SESSION_HANDLE_INVALID
 *   wrong-handle N        N operations use another secret of the same session than the one named, or give its handle for a
 *                         fresh one; attributes are read of another object
 *   wrong-wrapping N      N secrets or private keys are wrapped under another key than the one named
 *   wrap-refused N        N private keys are not wrapped: CKR_KEY_NOT_WRAPPABLE
 *   general-error N       N calls that unwrap fail with CKR_GENERAL_ERROR
 *   pin-incorrect N       N logins fail with CKR_PIN_INCORRECT
 *   pin-last-try N        N times the token says of itself CKF_USER_PIN_FINAL_TRY
 *   pin-locked N          N times the token says of itself CKF_USER_PIN_LOCKED
 *   hang N                N calls never return
 *   gone N                N calls fail with CKR_TOKEN_NOT_PRESENT, and no slot has a token
 *
 * Touched are calls that use a key, make one or find one, logins, and what a token says of itself; no others. The count is kept in the
 * file, under a lock, so that it spans threads and processes.
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

#define CK_PTR *
#define CK_DECLARE_FUNCTION(returnType, name) returnType name
#define CK_DECLARE_FUNCTION_POINTER(returnType, name) returnType(*name)
#define CK_CALLBACK_FUNCTION(returnType, name) returnType(*name)
#ifndef NULL_PTR
#define NULL_PTR 0
#endif
#include <pkcs11/pkcs11.h>

static CK_FUNCTION_LIST real;
static CK_FUNCTION_LIST shim;
/* Secrets that were unwrapped in this process, so that one can be taken for another. */
static CK_OBJECT_HANDLE secrets[64];
static CK_SESSION_HANDLE owners[64];
static unsigned count;

enum fault { NONE, LATENCY, DEVICE_ERROR, SESSION_LOST, HANG, GONE, WRONG_HANDLE, WRONG_WRAPPING, GENERAL_ERROR, PIN_INCORRECT,
             PIN_LAST_TRY, WRAP_REFUSED, PIN_LOCKED };

static const char *const NAMES[] = {"none", "latency", "device-error", "session-lost", "hang", "gone",
                                    "wrong-handle", "wrong-wrapping", "general-error", "pin-incorrect", "pin-last-try", "wrap-refused", "pin-locked"};

/* What a call can suffer beside what all can. */
enum { USES_HANDLE = 1, WRAPS = 2, LOGS_IN = 4, UNWRAPS = 8, TELLS_OF_TOKEN = 16, WRAPS_PRIVATE = 32 };

static int can_suffer(enum fault fault, int kind) {
  switch (fault) {
    case WRONG_HANDLE: return kind & USES_HANDLE;
    case WRONG_WRAPPING: return kind & WRAPS;
    case WRAP_REFUSED: return kind & WRAPS_PRIVATE;
    case GENERAL_ERROR: return kind & UNWRAPS;
    case PIN_INCORRECT: return kind & LOGS_IN;
    case PIN_LAST_TRY:
    case PIN_LOCKED: return kind & TELLS_OF_TOKEN;
    default: return kind != TELLS_OF_TOKEN;
  }
}

/* The fault that this call is to suffer, one less of them left in the file. */
static enum fault next_fault(long *milliseconds, int kind) {
  const char *path = getenv("METERKEEP_SHIM_CONTROL");
  int file = path == NULL ? -1 : open(path, O_RDWR | O_CLOEXEC);
  if (file < 0) return NONE;
  flock(file, LOCK_EX);
  char line[128] = {0};
  char name[32] = {0};
  long times = 0;
  enum fault found = NONE;
  if (read(file, line, sizeof line - 1) > 0 && sscanf(line, "%31s %ld %ld", name, &times, milliseconds) >= 1)
    for (int each = LATENCY; each <= PIN_LOCKED; each += 1)
      if (strcmp(name, NAMES[each]) == 0 && times != 0 && can_suffer(each, kind)) found = each;
  if (found != NONE && times > 0) {
    int length = snprintf(line, sizeof line, "%s %ld %ld\n", name, times - 1, *milliseconds);
    if (ftruncate(file, 0) == 0 && pwrite(file, line, (size_t)length, 0) != length) abort();
  }
  flock(file, LOCK_UN);
  close(file);
  return found;
}

static void pause_for(long milliseconds) {
  struct timespec pause = {milliseconds / 1000, (milliseconds % 1000) * 1000000L};
  nanosleep(&pause, NULL);
}

/* What a call comes to before the real one is asked; CKR_OK to go on. */
static CK_RV suffer(enum fault fault, long milliseconds) {
  switch (fault) {
    case LATENCY: pause_for(milliseconds); return CKR_OK;
    case DEVICE_ERROR: return CKR_DEVICE_ERROR;
    case SESSION_LOST: return CKR_SESSION_HANDLE_INVALID;
    case HANG: for (;;) pause_for(3600000L);
    case GONE: return CKR_TOKEN_NOT_PRESENT;
    case WRAP_REFUSED: return CKR_KEY_NOT_WRAPPABLE;
    case GENERAL_ERROR: return CKR_GENERAL_ERROR;
    case PIN_INCORRECT: return CKR_PIN_INCORRECT;
    default: return CKR_OK;
  }
}

#define BEFORE(kind)                                  \
  long milliseconds = 0;                              \
  enum fault fault = next_fault(&milliseconds, kind); \
  CK_RV failed = suffer(fault, milliseconds);         \
  if (failed != CKR_OK) return failed

static CK_OBJECT_HANDLE another(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE key) {
  for (unsigned at = 0; at < count && at < 64; at += 1)
    if (owners[at] == session && secrets[at] != key) return secrets[at];
  return key;
}

static CK_RV sign_init(CK_SESSION_HANDLE session, CK_MECHANISM_PTR mechanism, CK_OBJECT_HANDLE key) {
  BEFORE(1);
  return real.C_SignInit(session, mechanism, fault == WRONG_HANDLE ? another(session, key) : key);
}

static CK_RV sign(CK_SESSION_HANDLE session, CK_BYTE_PTR data, CK_ULONG length, CK_BYTE_PTR signature, CK_ULONG_PTR room) {
  BEFORE(0);
  return real.C_Sign(session, data, length, signature, room);
}

static CK_RV unwrap(CK_SESSION_HANDLE session, CK_MECHANISM_PTR mechanism, CK_OBJECT_HANDLE wrapping, CK_BYTE_PTR wrapped,
                    CK_ULONG length, CK_ATTRIBUTE_PTR template, CK_ULONG attributes, CK_OBJECT_HANDLE_PTR key) {
  BEFORE(UNWRAPS);
  CK_RV result = real.C_UnwrapKey(session, mechanism, wrapping, wrapped, length, template, attributes, key);
  if (result == CKR_OK) {
    unsigned at = __atomic_fetch_add(&count, 1, __ATOMIC_RELAXED) % 64;
    secrets[at] = *key;
    owners[at] = session;
  }
  return result;
}

static CK_RV encrypt_init(CK_SESSION_HANDLE session, CK_MECHANISM_PTR mechanism, CK_OBJECT_HANDLE key) {
  BEFORE(1);
  return real.C_EncryptInit(session, mechanism, fault == WRONG_HANDLE ? another(session, key) : key);
}

static CK_RV encrypt(CK_SESSION_HANDLE session, CK_BYTE_PTR data, CK_ULONG length, CK_BYTE_PTR cipher, CK_ULONG_PTR room) {
  BEFORE(0);
  return real.C_Encrypt(session, data, length, cipher, room);
}

static CK_RV decrypt_init(CK_SESSION_HANDLE session, CK_MECHANISM_PTR mechanism, CK_OBJECT_HANDLE key) {
  BEFORE(1);
  return real.C_DecryptInit(session, mechanism, fault == WRONG_HANDLE ? another(session, key) : key);
}

static CK_RV decrypt(CK_SESSION_HANDLE session, CK_BYTE_PTR cipher, CK_ULONG length, CK_BYTE_PTR data, CK_ULONG_PTR room) {
  BEFORE(0);
  return real.C_Decrypt(session, cipher, length, data, room);
}

static CK_RV derive(CK_SESSION_HANDLE session, CK_MECHANISM_PTR mechanism, CK_OBJECT_HANDLE base, CK_ATTRIBUTE_PTR template,
                    CK_ULONG attributes, CK_OBJECT_HANDLE_PTR key) {
  BEFORE(1);
  return real.C_DeriveKey(session, mechanism, fault == WRONG_HANDLE ? another(session, base) : base, template, attributes, key);
}

/* A key that nobody has asked for and nobody finds again. */
static CK_OBJECT_HANDLE stray_wrapping_key(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE otherwise) {
  CK_MECHANISM mechanism = {CKM_AES_KEY_GEN, NULL_PTR, 0};
  CK_ULONG length = 32;
  CK_BBOOL yes = CK_TRUE, no = CK_FALSE;
  CK_ATTRIBUTE template[] = {
    {CKA_VALUE_LEN, &length, sizeof length}, {CKA_TOKEN, &no, sizeof no}, {CKA_WRAP, &yes, sizeof yes}};
  CK_OBJECT_HANDLE key = otherwise;
  real.C_GenerateKey(session, &mechanism, template, 3, &key);
  return key;
}

static CK_RV wrap(CK_SESSION_HANDLE session, CK_MECHANISM_PTR mechanism, CK_OBJECT_HANDLE wrapping, CK_OBJECT_HANDLE key,
                  CK_BYTE_PTR wrapped, CK_ULONG_PTR room) {
  /* Private keys alone are padded. */
  BEFORE(USES_HANDLE | (mechanism->mechanism == CKM_AES_KEY_WRAP ? WRAPS : 0) |
         (mechanism->mechanism == CKM_AES_KEY_WRAP_PAD ? WRAPS | WRAPS_PRIVATE : 0));
  return real.C_WrapKey(session, mechanism, fault == WRONG_WRAPPING ? stray_wrapping_key(session, wrapping) : wrapping,
                        fault == WRONG_HANDLE ? another(session, key) : key, wrapped, room);
}

static CK_RV generate(CK_SESSION_HANDLE session, CK_MECHANISM_PTR mechanism, CK_ATTRIBUTE_PTR template, CK_ULONG attributes,
                      CK_OBJECT_HANDLE_PTR key) {
  BEFORE(mechanism->mechanism == CKM_GENERIC_SECRET_KEY_GEN ? USES_HANDLE : 0);
  CK_RV result = real.C_GenerateKey(session, mechanism, template, attributes, key);
  if (result == CKR_OK && fault == WRONG_HANDLE) *key = another(session, *key);
  return result;
}

static CK_RV generate_pair(CK_SESSION_HANDLE session, CK_MECHANISM_PTR mechanism, CK_ATTRIBUTE_PTR public_template,
                           CK_ULONG public_attributes, CK_ATTRIBUTE_PTR private_template, CK_ULONG private_attributes,
                           CK_OBJECT_HANDLE_PTR public_key, CK_OBJECT_HANDLE_PTR private_key) {
  BEFORE(0);
  return real.C_GenerateKeyPair(session, mechanism, public_template, public_attributes, private_template, private_attributes,
                                public_key, private_key);
}

static CK_RV create(CK_SESSION_HANDLE session, CK_ATTRIBUTE_PTR template, CK_ULONG attributes, CK_OBJECT_HANDLE_PTR object) {
  BEFORE(USES_HANDLE);
  CK_RV result = real.C_CreateObject(session, template, attributes, object);
  if (result == CKR_OK && fault == WRONG_HANDLE) *object = another(session, *object);
  return result;
}

/* Asked for lengths it tells the truth: the binding asks twice, and what is wrong is what it takes away. */
static CK_RV attribute_values(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object, CK_ATTRIBUTE_PTR template, CK_ULONG attributes) {
  int gives_values = attributes > 0 && template[attributes - 1].pValue != NULL_PTR;
  BEFORE(gives_values ? USES_HANDLE : 0);
  CK_RV result = real.C_GetAttributeValue(session, object, template, attributes);
  if (result == CKR_OK && fault == WRONG_HANDLE) {
    CK_ATTRIBUTE_PTR last = &template[attributes - 1];
    ((CK_BYTE_PTR)last->pValue)[last->ulValueLen - 1] ^= 1;
  }
  return result;
}

static CK_RV login(CK_SESSION_HANDLE session, CK_USER_TYPE user, CK_UTF8CHAR_PTR pin, CK_ULONG length) {
  BEFORE(LOGS_IN);
  return real.C_Login(session, user, pin, length);
}

static CK_RV token_info(CK_SLOT_ID slot, CK_TOKEN_INFO_PTR info) {
  BEFORE(TELLS_OF_TOKEN);
  CK_RV result = real.C_GetTokenInfo(slot, info);
  if (result == CKR_OK && fault == PIN_LAST_TRY) info->flags |= CKF_USER_PIN_FINAL_TRY;
  if (result == CKR_OK && fault == PIN_LOCKED) info->flags |= CKF_USER_PIN_LOCKED;
  return result;
}

static CK_RV find_init(CK_SESSION_HANDLE session, CK_ATTRIBUTE_PTR template, CK_ULONG attributes) {
  BEFORE(0);
  return real.C_FindObjectsInit(session, template, attributes);
}

static CK_RV open_session(CK_SLOT_ID slot, CK_FLAGS flags, CK_VOID_PTR application, CK_NOTIFY notify, CK_SESSION_HANDLE_PTR session) {
  BEFORE(0);
  return real.C_OpenSession(slot, flags, application, notify, session);
}

static CK_RV slots(CK_BBOOL with_token, CK_SLOT_ID_PTR list, CK_ULONG_PTR number) {
  long milliseconds = 0;
  if (with_token && next_fault(&milliseconds, 0) == GONE) {
    *number = 0;
    return CKR_OK;
  }
  return real.C_GetSlotList(with_token, list, number);
}

CK_RV C_GetFunctionList(CK_FUNCTION_LIST_PTR_PTR list) {
  if (shim.C_Initialize == NULL) {
    const char *target = getenv("METERKEEP_SHIM_TARGET");
    void *library = target == NULL ? NULL : dlopen(target, RTLD_NOW | RTLD_LOCAL);
    CK_C_GetFunctionList get = library == NULL ? NULL : (CK_C_GetFunctionList)dlsym(library, "C_GetFunctionList");
    CK_FUNCTION_LIST_PTR found = NULL;
    if (get == NULL || get(&found) != CKR_OK) return CKR_GENERAL_ERROR;
    real = *found;
    shim = real;
    shim.C_GetFunctionList = C_GetFunctionList;
    shim.C_SignInit = sign_init;
    shim.C_Sign = sign;
    shim.C_UnwrapKey = unwrap;
    shim.C_EncryptInit = encrypt_init;
    shim.C_Encrypt = encrypt;
    shim.C_DecryptInit = decrypt_init;
    shim.C_Decrypt = decrypt;
    shim.C_DeriveKey = derive;
    shim.C_WrapKey = wrap;
    shim.C_GenerateKey = generate;
    shim.C_GenerateKeyPair = generate_pair;
    shim.C_CreateObject = create;
    shim.C_GetAttributeValue = attribute_values;
    shim.C_Login = login;
    shim.C_FindObjectsInit = find_init;
    shim.C_OpenSession = open_session;
    shim.C_GetSlotList = slots;
    shim.C_GetTokenInfo = token_info;
  }
  *list = &shim;
  return CKR_OK;
}
