// Teaches the import reader `using` declarations, which its syntax visitor does not know yet.
const { Visitor } = require('@swc/core/Visitor.js');

const known = Reflect.get(Visitor.prototype, 'visitStatement');
Visitor.prototype.visitStatement = function (statement) {
  if (statement.type !== 'UsingDeclaration') return Reflect.apply(known, this, [statement]);
  statement.decls = this.visitVariableDeclarators(statement.decls);
  return statement;
};
